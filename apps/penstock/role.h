// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "agent/agent.h"
#include "base/random.h"
#include "base/result.h"
#include "base/time.h"
#include "gateway/gateway.h"
#include "http/router.h"
#include "http/server.h"
#include "io/pool.h"
#include "io/runtime.h"
#include "io/task_group.h"
#include "model/page.h"
#include "server/server.h"
#include "telemetry/log.h"

namespace penstock {

struct Listen {
    std::string host = "127.0.0.1";
    std::uint16_t port = 8080;
};
// "127.0.0.1:8080", "[::1]:0"; port 0 lets the system choose.
Result<Listen> parse_listen(const std::string& text);
Version version();
// "error: …" with the cause on standard error; returns the exit code of the error.
int tell(const Error& error);

constexpr Duration kDrainSpan = 10s;  // what requests in flight get when the process is to end

// The parts of one process and their orderly start and end. Everything runs on one loop.
//   Process process(log); process.with_server(…); …; return process.run();
class Process {
  public:
    explicit Process(telemetry::Logger log);
    ~Process();

    io::Runtime runtime;
    http::Router router;
    telemetry::Logger log;
    SystemClock clock;
    SystemRandom random;
    io::Pool pool;
    telemetry::Registry metrics;  // of the gateway role alone; a server brings its own
    std::unique_ptr<server::Server> server;
    std::unique_ptr<gateway::Gateway> gateway;
    std::unique_ptr<agent::Agent> agent;
    std::unique_ptr<http::Server> listener;

    Result<void> open_gateway(gateway::GatewayOptions options, telemetry::Registry& registry);
    // Takes the address; the listener is started when all routes are there.
    Result<void> bind(const Listen& address, telemetry::Registry& registry);
    Result<void> listen(const Listen& address, telemetry::Registry& registry);
    void start_agent(agent::AgentOptions options);
    // Until a signal comes or the store fails; then stops what runs, agents last. The exit code.
    int run();
    // A task of the process, ended with it.
    void spawn(io::Task<void> task) { group_.spawn(std::move(task)); }
    // Another process serves at the address: answers what is in flight, for at most `drain`, and
    // ends.
    io::Task<void> retire(Duration drain);

  private:
    static io::Task<void> run_agent(Process* process);
    io::Task<void> stop();
    io::TaskGroup group_;
    int exit_code_ = 0;
};

// GET /metrics, of the process's own registry.
void add_metrics(Process& process);

}  // namespace penstock
