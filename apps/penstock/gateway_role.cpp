// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "config/settings.h"
#include "handover.h"
#include "http/url.h"
#include "model/gateway_status.h"
#include "role.h"
#include "roles.h"

namespace penstock {
namespace {

constexpr std::uint64_t kMib = 1024UL * 1024;
constexpr std::uint64_t kSpoolMibMin = 1;
constexpr std::uint64_t kSpoolMibMax = 1024UL * 1024;  // a TiB

struct GatewayFlags {
    std::string listen = "127.0.0.1:8081";
    std::string server = "http://127.0.0.1:8080";
    std::string key_file;
    std::string replica = "gateway";
    std::string region;
    std::string state_dir;
    std::string log_level = "info";
    std::size_t calls_max = gateway::GatewayOptions{}.calls_max;
    std::uint64_t spool_mib = gateway::GatewayOptions{}.spool_bytes_max / kMib;
    std::string lease_amount = to_string(gateway::GatewayOptions{}.lease_amount);
    bool hedge = false;
    std::uint32_t log_one_in = 0;
    std::string spans_to;
    bool take_over = false;
    std::string drain = "1h";  // GatewayOptions::deadline_max: no call may last longer
};

constexpr Duration kReadyWithin = 30s;  // what a process that takes over may need for its routes

// Two processes of one gateway may run for a while, each with a spool and leases of its own.
std::string spool_of(int slot) { return slot == 0 ? "spool" : "spool-2"; }
std::string replica_of(const GatewayFlags& flags, int slot) {
    return slot == 0 ? flags.replica : flags.replica + std::string(kSecondProcess);
}

Result<gateway::GatewayOptions> options_of(const GatewayFlags& flags, int slot) {
    gateway::GatewayOptions options;
    options.server_url = flags.server;
    options.key = TRY(config::read_file(flags.key_file));
    while (!options.key.empty() && options.key.back() == '\n') options.key.pop_back();
    options.replica = replica_of(flags, slot);
    options.replica_before = replica_of(flags, 1 - slot);
    options.spool = spool_of(slot);
    options.spool_before = spool_of(1 - slot);
    options.calls_max = flags.calls_max;
    if (flags.spool_mib < kSpoolMibMin || flags.spool_mib > kSpoolMibMax)
        return fail_field(
            ErrorCode::invalid_argument, "--spool-mib",
            "expected " + std::to_string(kSpoolMibMin) + " to " + std::to_string(kSpoolMibMax) +
                ", for instance 12288"
        );
    options.spool_bytes_max = flags.spool_mib * kMib;
    const Result<Money> lease_amount = parse_money(flags.lease_amount);
    if (!lease_amount || *lease_amount <= Money())
        return fail_field(
            ErrorCode::invalid_argument, "--lease-amount",
            "'" + flags.lease_amount + "' is not an amount of yuan above 0: for instance 1.00"
        );
    options.lease_amount = *lease_amount;
    options.hedge = flags.hedge;
    options.log_one_in = flags.log_one_in;
    if (!flags.spans_to.empty() && !http::parse_url(flags.spans_to))
        return fail_field(
            ErrorCode::invalid_argument, "--spans-to",
            "'" + flags.spans_to + "' is no URL: for instance http://127.0.0.1:4318"
        );
    options.spans_url = flags.spans_to;
    options.region = flags.region;
    options.passes_on = true;
    options.state_dir = flags.state_dir.empty() ? config::state_home() / "gateway"
                                                : std::filesystem::path(flags.state_dir);
    return options;
}

io::Task<http::Response> answer_text(int status, std::string body) {
    co_return http::Response::text(status, std::move(body));
}

void add_health(Process& process) {
    http::Router& router = process.router;
    router.add("GET", "/livez", [](const http::Request&) { return answer_text(200, "ok\n"); });
    router.add("GET", "/readyz", [&process](const http::Request&) {
        if (process.gateway->draining()) return answer_text(503, "draining\n");
        const bool ready = process.gateway->ready();
        return answer_text(ready ? 200 : 503, ready ? "ok\n" : "not ready\n");
    });
    add_metrics(process);
}

io::Task<bool> become_ready(const gateway::Gateway* gateway) {
    constexpr Duration kLookEvery = 20ms;
    const io::Deadline deadline = io::Deadline::after(kReadyWithin);
    while (!gateway->ready() && !deadline.passed()) co_await io::sleep_for(kLookEvery);
    co_return gateway->ready();
}

io::Task<void> give_way(Process* process, Handover* handover, Duration drain) {
    gateway::Gateway* gateway = process->gateway.get();
    co_await handover->until_taken(process->log, [gateway] { return gateway->may_hand_over(); });
    co_await gateway->hand_over();
    co_await process->retire(drain);
}

Result<int> serve(const GatewayFlags& flags) {
    const Listen address = TRY(parse_listen(flags.listen));
    const Duration drain = TRY(parse_duration(flags.drain));
    telemetry::Logger log =
        TRY(telemetry::Logger::open({.level = TRY(telemetry::parse_level(flags.log_level))}));
    std::filesystem::path state_dir = TRY(options_of(flags, 0)).state_dir;
    std::filesystem::create_directories(state_dir);
    Handover handover(state_dir);
    std::optional<Handover::Taken> taken;
    if (flags.take_over) taken = TRY(handover.ask());
    const int slot = taken ? 1 - taken->slot : 0;
    const int socket = taken ? taken->socket : TRY(listen_at(address.host, address.port));
    Process process(log);
    gateway::GatewayOptions options = TRY(options_of(flags, slot));
    options.takes_over = taken.has_value();
    TRY(process.open_gateway(std::move(options), process.metrics));
    add_health(process);
    TRY(process.bind({.host = "fd:" + std::to_string(::dup(socket)), .port = 0}, process.metrics));
    process.gateway->start();
    if (taken && !process.runtime.block_on(become_ready(process.gateway.get()))) {
        process.runtime.block_on(process.gateway->stop(io::Deadline::after(0s)));
        return fail(
            ErrorCode::unavailable,
            "the server gave no routes in time; the gateway that runs goes on as before"
        );
    }
    TRY(process.listener->start());
    if (taken) TRY(handover.confirm());
    TRY(handover.offer(socket, slot));
    process.spawn(give_way(&process, &handover, drain));
    std::printf(
        "Penstock gateway at http://%s:%d\n", address.host.c_str(), process.listener->local_port()
    );
    std::fflush(stdout);
    return process.run();
}

}  // namespace

int run_gateway(int argc, char** argv) {
    GatewayFlags flags;
    CLI::App app("Serves token calls and settles them with a server.", "penstock gateway");
    app.add_option("--listen", flags.listen, "HOST:PORT of the token endpoints")
        ->capture_default_str();
    app.add_option("--server", flags.server, "address of the platform's server")
        ->capture_default_str();
    app.add_option("--key-file", flags.key_file, "file with a key of scope gateway")->required();
    app.add_option("--replica", flags.replica, "stable name of this gateway")
        ->capture_default_str();
    app.add_option(
        "--region", flags.region, "where it stands and so its callers: a key of sites' rtt_to"
    );
    app.add_option("--state-dir", flags.state_dir, "where unsettled records are kept");
    app.add_option("--calls-max", flags.calls_max, "calls in flight at one time; above: 503")
        ->capture_default_str();
    app.add_option(
           "--spool-mib", flags.spool_mib,
           "records of calls that wait for the server, about 750 calls a MiB; above: 503"
    )
        ->capture_default_str();
    app.add_option(
           "--lease-amount", flags.lease_amount,
           "yuan of a wallet or budget that are kept here at the least, an eighth of it at most; "
           "what an hour has spent is kept in any case"
    )
        ->capture_default_str();
    app.add_flag(
        "--hedge", flags.hedge,
        "ask a second engine where a stream's first token is later than 95 % are; who loses is "
        "paid by the platform"
    );
    app.add_option(
           "--log-one-in", flags.log_one_in,
           "log one in so many calls, without their content; those of sampled traces always"
    )
        ->capture_default_str();
    app.add_option(
        "--spans-to", flags.spans_to,
        "URL of an OpenTelemetry collector (OTLP over HTTP) that gets the spans of these calls, "
        "for instance http://127.0.0.1:4318"
    );
    app.add_flag(
        "--take-over", flags.take_over,
        "go on where a gateway with the same state folder serves, which then drains and ends"
    );
    app.add_option(
           "--drain", flags.drain,
           "what calls in flight get when another process takes over; by default as long as any "
           "may "
           "last"
    )
        ->capture_default_str();
    app.add_option("--log-level", flags.log_level, "debug, info, warning or error")
        ->capture_default_str();
    app.footer("On gateways that run: penstock gateway list, get, routes, leases, drain, undrain");
    CLI11_PARSE(app, argc, argv);
    const Result<int> code = serve(flags);
    return code ? *code : tell(code.error());
}

}  // namespace penstock
