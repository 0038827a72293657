// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <cstdio>

#include "cli/config_file.h"
#include "config/settings.h"
#include "decision_log_flags.h"
#include "role.h"
#include "roles.h"
#include "time_sharing_flags.h"

namespace penstock {
namespace {

struct UpFlags {
    std::string listen = "127.0.0.1:8080";
    std::string state_dir;
    std::string store;
    std::string site_file;
    std::string credit = "1000.00";
    std::string log_level = "warning";
    bool no_agent = false;
    bool no_gateway = false;
    bool no_context = false;
    std::int64_t cpu_milli = 0;
    std::int64_t memory_mib = 0;
    std::vector<std::string> runtime_paths;
    std::vector<std::string> environment;
    std::vector<std::string> simulated;
    TimeSharingFlags time_sharing;
    DecisionLogFlags decision_log;
};

void add_flags(CLI::App& app, UpFlags& flags) {
    app.add_option("--listen", flags.listen, "HOST:PORT of the API and the token endpoints")
        ->capture_default_str();
    app.add_option(
        "--state-dir", flags.state_dir, "where everything is kept; default $XDG_STATE_HOME/penstock"
    );
    app.add_option(
        "--store", flags.store, "postgresql://… instead of SQLite in the state directory"
    );
    app.add_option("--site", flags.site_file, "YAML file that describes this machine's site");
    app.add_option("--credit", flags.credit, "development credit of the first organisation, yuan")
        ->capture_default_str();
    app.add_option("--log-level", flags.log_level, "debug, info, warning or error")
        ->capture_default_str();
    app.add_flag(
        "--no-agent", flags.no_agent, "no agent in this process: sites join by penstock agent"
    );
    app.add_flag("--no-gateway", flags.no_gateway, "no token gateway in this process");
    app.add_flag("--no-context", flags.no_context, "leave the command line's configuration alone");
    app.add_option(
        "--cpu-milli", flags.cpu_milli, "thousandths of cores offered to tasks; default all"
    );
    app.add_option("--memory-mib", flags.memory_mib, "memory offered to tasks; default all");
    app.add_option(
        "--runtime-path", flags.runtime_paths,
        "folder of this machine shown read-only to every task (repeatable)"
    );
    app.add_option("--env", flags.environment, "NAME=VALUE published to every task (repeatable)");
    flags.time_sharing.add_to(app);
    flags.decision_log.add_to(app);
    app.add_option(
        "--simulate", flags.simulated,
        "development: pretend accelerators, MODEL:COUNT; marked simulated everywhere"
    );
}

SiteSpec default_site() {
    SiteSpec site{.name = "local", .region = "local", .residency = "ZZ", .division_code = "900001"};
    site.rtt_ms = 0.1;
    // Without root there are usually no cgroups to keep CPU and memory limits with.
    site.advisory_limits = ::geteuid() != 0;
    site.prices.core_second = *parse_price("0.00005");
    site.prices.gib_second = *parse_price("0.000005");
    site.prices.input_tokens = *parse_price("0.10");
    site.prices.output_tokens = *parse_price("0.40");
    return site;
}

Result<SiteSpec> site_of(const UpFlags& flags) {
    if (flags.site_file.empty()) return default_site();
    auto site = config::load<SiteSpec>(flags.site_file);
    if (!site) return fail(ErrorCode::invalid_argument, config::render(site.error()));
    return *site;
}

// Pretend cards need a price to be placed; a real site's file states its own.
Result<void> price_simulated(SiteSpec& site, const UpFlags& flags) {
    for (const std::string& text : flags.simulated)
        site.prices.card_second.try_emplace(
            TRY(parse_accelerator(text)).model, TRY(parse_price("0.001"))
        );
    return {};
}

Result<agent::AgentOptions> agent_of(
    const UpFlags& flags, const std::string& url, const std::string& key,
    const std::filesystem::path& state
) {
    agent::AgentConfig settings;
    settings.server = url;
    settings.key = key;
    settings.state_dir = (state / "agent").string();
    if (flags.cpu_milli > 0) settings.cpu_milli = flags.cpu_milli;
    if (flags.memory_mib > 0) settings.memory_mib = flags.memory_mib;
    settings.runtime_paths = flags.runtime_paths;
    for (const std::string& pair : flags.environment) {
        const std::size_t sign = pair.find('=');
        if (sign == std::string::npos || sign == 0)
            return fail_field(
                ErrorCode::invalid_argument, "--env", "'" + pair + "' is not NAME=VALUE"
            );
        settings.environment[pair.substr(0, sign)] = pair.substr(sign + 1);
    }
    for (const std::string& text : flags.simulated) {
        const Accelerator accelerator = TRY(parse_accelerator(text));
        settings.simulated_accelerators.push_back(
            {.model = accelerator.model, .count = accelerator.count_milli / 1000}
        );
    }
    return agent::agent_options(settings);
}

Result<int> up(const UpFlags& flags) {
    const std::filesystem::path state =
        flags.state_dir.empty() ? config::state_home() : std::filesystem::path(flags.state_dir);
    const Listen address = TRY(parse_listen(flags.listen));
    const telemetry::Level level = TRY(telemetry::parse_level(flags.log_level));
    telemetry::Logger log = TRY(telemetry::Logger::open({.level = level}));
    SiteSpec site = TRY(site_of(flags));
    TRY(price_simulated(site, flags));
    server::ServerOptions options;
    options.platform.state_dir = state;
    options.platform.time_sharing = TRY(flags.time_sharing.options());
    options.platform.decisions_kept = flags.decision_log.options();
    options.store_url = flags.store;
    options.version = version();
    options.development_credit = TRY(parse_money(flags.credit));
    options.log = log;
    Process process(log);
    process.server =
        std::make_unique<server::Server>(process.runtime, process.router, std::move(options));
    const server::FirstKeys keys = TRY(process.runtime.block_on(process.server->start()));
    // The gateway speaks to the server by HTTP, here as anywhere, so the port is bound before the
    // gateway is made, and served when all routes are there.
    TRY(process.bind(address, process.server->metrics()));
    const std::string url = process.listener->url();
    if (!flags.no_gateway) {
        gateway::GatewayOptions gateway_options;
        gateway_options.server_url = url;
        gateway_options.key = keys.gateway_key;
        gateway_options.replica = "up";
        gateway_options.state_dir = state / "gateway";
        TRY(process.open_gateway(std::move(gateway_options), process.server->metrics()));
    }
    TRY(process.listener->start());
    if (process.gateway) process.gateway->start();
    if (!flags.no_agent) {
        const std::string key = TRY(process.runtime.block_on(process.server->ensure_site(site)));
        process.start_agent(TRY(agent_of(flags, url, key, state)));
    }
    if (!flags.no_context) TRY(cli::write_context("local", url, keys.user_key));
    if (site.advisory_limits)
        std::fprintf(
            stderr,
            "note: not root, so CPU and memory limits of tasks are advisory on this machine\n"
        );
    std::printf(
        "Penstock %s is up.\n"
        "  API and tokens  %s  (OpenAI-compatible at %s/v1)\n"
        "  state           %s\n"
        "  user key        %s\n"
        "  operator key    %s\n"
        "Next: penstock offers\n",
        version().version.c_str(), url.c_str(), url.c_str(), state.c_str(),
        (state / server::Server::kUserKeyFile).c_str(),
        (state / server::Server::kOperatorKeyFile).c_str()
    );
    std::fflush(stdout);
    return process.run();
}

}  // namespace

int run_up(int argc, char** argv) {
    UpFlags flags;
    CLI::App app(
        "Brings up a whole compute internet on this machine: server, gateway and one agent.",
        "penstock up"
    );
    add_flags(app, flags);
    CLI11_PARSE(app, argc, argv);
    const Result<int> code = up(flags);
    return code ? *code : tell(code.error());
}

}  // namespace penstock
