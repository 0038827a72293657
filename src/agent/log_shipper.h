// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>

#include "agent/attempts.h"
#include "agent/log_window.h"
#include "http/websocket.h"

namespace penstock::agent {

// Sends the logs of all attempts over one session, each read from its file by byte offset: memory
// holds one chunk an attempt, however long a log is or the server was away.
class LogShipper {
  public:
    static constexpr std::size_t kBatchLinesMax = 256;
    static constexpr std::int64_t kChunkBytesMax = 64L * 1024;
    static constexpr Duration kPollEvery = 100ms;
    static constexpr Duration kPollIdle = 500ms;  // of a log that has been quiet for a while

    LogShipper(Context& context, http::WebSocket& socket) : context_(context), socket_(socket) {}

    // Until the log is complete and stored, or sending fails.
    io::Task<void> ship(AttemptRun* run);
    void acknowledged(AttemptRun& run, std::int64_t line);

  private:
    struct Shipment {
        Shipment(io::Executor executor, LogPosition from)
            : window(from), changed(std::move(executor)) {}
        LogWindow window;
        io::Event changed;
    };
    io::Task<bool> send(AttemptRun* run, drivers::LogChunk chunk);

    Context& context_;
    http::WebSocket& socket_;
    std::map<AttemptId, Shipment> shipments_;
};

}  // namespace penstock::agent
