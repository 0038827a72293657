// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <cstdio>

#include "config/settings.h"
#include "role.h"
#include "roles.h"

namespace penstock {
namespace {

Result<int> serve(const std::string& file, const std::string& log_level) {
    telemetry::Logger log =
        TRY(telemetry::Logger::open({.level = TRY(telemetry::parse_level(log_level))}));
    const auto settings = config::load<agent::AgentConfig>(file);
    if (!settings) return fail(ErrorCode::invalid_argument, config::render(settings.error()));
    agent::AgentOptions options = TRY(agent::agent_options(*settings));
    Process process(log);
    std::printf(
        "Penstock agent of node %s, dialling %s\n", options.node_name.c_str(),
        options.server_url.c_str()
    );
    std::fflush(stdout);
    process.start_agent(std::move(options));
    return process.run();
}

}  // namespace

int run_agent(int argc, char** argv) {
    std::string file;
    std::string log_level = "info";
    CLI::App app(
        "Runs the agent of this host: dials the server and runs what it is given.", "penstock agent"
    );
    app.add_option(
           "--config", file,
           "YAML file: server, key_file, node, state_dir, cpu_milli, memory_mib, …"
    )
        ->required();
    app.add_option("--log-level", log_level, "debug, info, warning or error")
        ->capture_default_str();
    CLI11_PARSE(app, argc, argv);
    const Result<int> code = serve(file, log_level);
    return code ? *code : tell(code.error());
}

}  // namespace penstock
