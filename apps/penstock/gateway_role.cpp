// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <cstdio>

#include "config/settings.h"
#include "role.h"
#include "roles.h"

namespace penstock {
namespace {

struct GatewayFlags {
    std::string listen = "127.0.0.1:8081";
    std::string server = "http://127.0.0.1:8080";
    std::string key_file;
    std::string replica = "gateway";
    std::string region;
    std::string state_dir;
    std::string log_level = "info";
    std::size_t calls_max = gateway::GatewayOptions{}.calls_max;
    bool hedge = false;
};

Result<int> serve(const GatewayFlags& flags) {
    const Listen address = TRY(parse_listen(flags.listen));
    telemetry::Logger log =
        TRY(telemetry::Logger::open({.level = TRY(telemetry::parse_level(flags.log_level))}));
    gateway::GatewayOptions options;
    options.server_url = flags.server;
    options.key = TRY(config::read_file(flags.key_file));
    while (!options.key.empty() && options.key.back() == '\n') options.key.pop_back();
    options.replica = flags.replica;
    options.calls_max = flags.calls_max;
    options.hedge = flags.hedge;
    options.region = flags.region;
    options.state_dir = flags.state_dir.empty() ? config::state_home() / "gateway"
                                                : std::filesystem::path(flags.state_dir);
    Process process(log);
    TRY(process.open_gateway(std::move(options), process.metrics));
    TRY(process.listen(address, process.metrics));
    process.gateway->start();
    std::printf("Penstock gateway at %s\n", process.listener->url().c_str());
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
    app.add_flag(
        "--hedge", flags.hedge,
        "ask a second engine where a stream's first token is later than 95 % are; who loses is "
        "paid by the platform"
    );
    app.add_option("--log-level", flags.log_level, "debug, info, warning or error")
        ->capture_default_str();
    CLI11_PARSE(app, argc, argv);
    const Result<int> code = serve(flags);
    return code ? *code : tell(code.error());
}

}  // namespace penstock
