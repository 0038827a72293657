// SPDX-License-Identifier: Apache-2.0
#include "role.h"

#include <charconv>
#include <cstdio>

#ifndef PENSTOCK_VERSION
#define PENSTOCK_VERSION "0.0.0"
#endif
#ifndef PENSTOCK_COMMIT
#define PENSTOCK_COMMIT "unknown"
#endif

namespace penstock {

Result<Listen> parse_listen(const std::string& text) {
    const std::size_t colon = text.rfind(':');
    Listen listen;
    if (colon != std::string::npos && colon > 0) {
        listen.host = text.substr(0, colon);
        if (listen.host.front() == '[' && listen.host.back() == ']')
            listen.host = listen.host.substr(1, listen.host.size() - 2);
        const char* end = text.data() + text.size();
        const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, listen.port);
        if (error == std::errc() && stop == end) return listen;
    }
    return fail_field(
        ErrorCode::invalid_argument, "--listen",
        "'" + text + "' is not HOST:PORT: for instance 127.0.0.1:8080"
    );
}

Version version() { return {.version = PENSTOCK_VERSION, .commit = PENSTOCK_COMMIT}; }

int tell(const Error& error) {
    std::fprintf(
        stderr, "error: %s%s%s\n", error.field.c_str(), error.field.empty() ? "" : ": ",
        error.message.c_str()
    );
    return info(error.code).exit_code;
}

Process::Process(telemetry::Logger log_in)
    : log(std::move(log_in)), pool(2), group_(runtime.executor(), "process") {}
Process::~Process() = default;

Result<void> Process::open_gateway(gateway::GatewayOptions options, telemetry::Registry& registry) {
    gateway = TRY(
        gateway::Gateway::open(std::move(options), {runtime, pool, clock, random, log, registry})
    );
    gateway->register_routes(router);
    return {};
}

Result<void> Process::bind(const Listen& address, telemetry::Registry& registry) {
    http::ServerOptions options;
    options.host = address.host;
    options.port = address.port;
    options.log = log.component("http");
    options.metrics = &registry;
    options.pool = &pool;
    listener = std::make_unique<http::Server>(runtime, router, std::move(options));
    return listener->bind();
}

Result<void> Process::listen(const Listen& address, telemetry::Registry& registry) {
    TRY(bind(address, registry));
    return listener->start();
}

void Process::start_agent(agent::AgentOptions options) {
    agent = std::make_unique<agent::Agent>(runtime, std::move(options));
    group_.spawn(run_agent(this));
}

io::Task<void> Process::run_agent(Process* process) {
    const Result<void> ran = co_await process->agent->run();
    if (ran) co_return;
    process->log.error("the agent cannot run", ran.error());
    process->exit_code_ = tell(ran.error());
    process->runtime.stop();
}

int Process::run() {
    runtime.on_signal([this](int) { runtime.stop(); });
    runtime.run();
    if (server && server->failed()) exit_code_ = 1;
    runtime.block_on(stop());
    return exit_code_;
}

namespace {

io::Task<http::Response> answer_metrics(std::string rendered) {
    http::Response response = http::Response::text(200, std::move(rendered));
    response.headers.set("Content-Type", std::string(telemetry::kMetricsContentType));
    co_return response;
}

}  // namespace

void add_metrics(Process& process) {
    process.router.add("GET", "/metrics", [&process](const http::Request&) {
        return answer_metrics(process.metrics.render());
    });
}

io::Task<void> Process::retire(Duration drain) {
    constexpr Duration kLookEvery = 50ms;
    log.info("another process has taken over: what is in flight is answered, then this one ends");
    listener->retire();
    const io::Deadline deadline = io::Deadline::after(drain);
    while (listener->connections() > 0 && !deadline.passed()) co_await io::sleep_for(kLookEvery);
    runtime.stop();
}

io::Task<void> Process::stop() {
    if (agent) co_await agent->stop();
    if (server) server->begin_stop();
    if (listener) co_await listener->drain(io::Deadline::after(kDrainSpan));
    if (gateway) gateway->begin_stop();
    if (listener) co_await listener->stop(io::Deadline::after(0s));
    // The gateway's last settlements need a server that still answers; alone they stay in the
    // spool.
    if (gateway) co_await gateway->stop(io::Deadline::after(server ? 0s : kDrainSpan));
    if (server) co_await server->stop();
    co_await group_.close();
}

}  // namespace penstock
