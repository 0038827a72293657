// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "agent/attempts.h"
#include "agent/log_shipper.h"
#include "devices/load.h"
#include "http/websocket.h"
#include "io/task_group.h"

namespace penstock::agent {

// One connection to the server: hello and welcome, then commands in, heartbeats, reports and logs
// out. It ends when either side ends it; what was not acknowledged goes out again in the next one.
class Session {
  public:
    static constexpr Duration kWelcomeMax = 10s;
    static constexpr std::int64_t kReportsInFlightMax = 256;  // then the server's answer is awaited

    Session(
        Context& context, Attempts& attempts, devices::LoadSampler& load,
        std::unique_ptr<http::WebSocket> socket
    );

    // An error says why it ended; the server's orderly close is none.
    io::Task<Result<void>> run(AgentHello hello);
    // Makes run() end.
    void abort() { socket_->abort(); }
    bool welcomed() const { return welcomed_; }

  private:
    io::Task<Result<ServerWelcome>> greet(AgentHello hello);
    io::Task<Result<void>> receive();
    void handle(const ServerMessage& message);
    io::Task<void> heartbeats(Duration every);
    io::Task<void> reports();
    io::Task<Result<void>> send(const AgentMessage& message);

    Context& context_;
    Attempts& attempts_;
    devices::LoadSampler& load_;
    std::unique_ptr<http::WebSocket> socket_;
    LogShipper logs_;
    io::TaskGroup tasks_;
    std::int64_t acknowledged_ = 0;
    bool welcomed_ = false;
};

}  // namespace penstock::agent
