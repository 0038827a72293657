// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>

#include "config/settings.h"
#include "decision_log_flags.h"
#include "role.h"
#include "roles.h"
#include "time_sharing_flags.h"

namespace penstock {
namespace {

struct ServerFlags {
    std::string listen = "127.0.0.1:8080";
    std::string state_dir;
    std::string store;
    std::string organisation = "home";
    std::string organisation_code = "00001";
    std::string node_code = "N01";
    std::string authority = "local.penstock.internal";
    std::string credit = "0";
    std::string store_site;
    std::string log_level = "info";
    std::int64_t fee_basis_points = 500;
    TimeSharingFlags time_sharing;
    DecisionLogFlags decision_log;
};

Result<int> serve(const ServerFlags& flags) {
    const Listen address = TRY(parse_listen(flags.listen));
    telemetry::Logger log =
        TRY(telemetry::Logger::open({.level = TRY(telemetry::parse_level(flags.log_level))}));
    server::ServerOptions options;
    options.platform.state_dir =
        flags.state_dir.empty() ? config::state_home() : std::filesystem::path(flags.state_dir);
    options.platform.node_code = flags.node_code;
    options.platform.authority = flags.authority;
    options.platform.fee_basis_points = flags.fee_basis_points;
    options.platform.store_site = flags.store_site;
    options.platform.time_sharing = TRY(flags.time_sharing.options());
    options.platform.decisions_kept = flags.decision_log.options();
    options.store_url = flags.store;
    options.organisation = flags.organisation;
    options.organisation_code = flags.organisation_code;
    options.development_credit = TRY(parse_money(flags.credit));
    options.version = version();
    options.log = log;
    const std::filesystem::path state = options.platform.state_dir;
    Process process(log);
    process.server =
        std::make_unique<server::Server>(process.runtime, process.router, std::move(options));
    TRY(process.runtime.block_on(process.server->start()));
    TRY(process.listen(address, process.server->metrics()));
    std::printf(
        "Penstock server at %s, operator key in %s\n", process.listener->url().c_str(),
        (state / server::Server::kOperatorKeyFile).c_str()
    );
    std::fflush(stdout);
    return process.run();
}

}  // namespace

int run_server(int argc, char** argv) {
    ServerFlags flags;
    CLI::App app("Runs one platform node.", "penstock server");
    app.add_option("--listen", flags.listen, "HOST:PORT of the API")->capture_default_str();
    app.add_option(
        "--state-dir", flags.state_dir, "where everything is kept; default $XDG_STATE_HOME/penstock"
    );
    app.add_option(
        "--store", flags.store,
        "sqlite:///path or postgresql://…; default SQLite in the state directory"
    );
    app.add_option(
           "--organisation", flags.organisation,
           "name of the operator's organisation, made at the first start"
    )
        ->capture_default_str();
    app.add_option(
           "--organisation-code", flags.organisation_code,
           "its five characters in registration codes"
    )
        ->capture_default_str();
    app.add_option(
           "--node-code", flags.node_code, "this node's three characters in registration codes"
    )
        ->capture_default_str();
    app.add_option("--authority", flags.authority, "DNS name in the C-URLs printed here")
        ->capture_default_str();
    app.add_option(
           "--fee-bps", flags.fee_basis_points, "the platform's share of charges, basis points"
    )
        ->capture_default_str()
        ->check(CLI::Range(0, 10'000));
    app.add_option(
        "--store-site", flags.store_site,
        "site at which the platform's store lies: its routes tell how long staging takes"
    );
    app.add_option("--credit", flags.credit, "development credit of the first organisation, yuan")
        ->capture_default_str();
    flags.time_sharing.add_to(app);
    flags.decision_log.add_to(app);
    app.add_option("--log-level", flags.log_level, "debug, info, warning or error")
        ->capture_default_str();
    CLI11_PARSE(app, argc, argv);
    const Result<int> code = serve(flags);
    return code ? *code : tell(code.error());
}

int run_openapi(int, char**) {
    // The description comes from the routes themselves: a server on an empty store and a gateway
    // that is never started are wired and asked.
    io::Runtime runtime;
    http::Router router;
    io::Pool pool(1);
    const SystemClock clock;
    SystemRandom random;
    const telemetry::Logger log;
    telemetry::Registry metrics;
    std::string folder =
        (std::filesystem::temp_directory_path() / "penstock-openapi-XXXXXX").string();
    if (::mkdtemp(folder.data()) == nullptr)
        return tell({ErrorCode::internal, "cannot make " + folder, {}});
    const Result<std::unique_ptr<gateway::Gateway>> gateway = gateway::Gateway::open(
        {.server_url = "http://127.0.0.1:1", .key = "none", .state_dir = folder},
        {runtime, pool, clock, random, log, metrics}
    );
    if (gateway) (*gateway)->register_routes(router);
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
    if (!gateway) return tell(gateway.error());
    const Result<std::string> text = server::describe_api(runtime, router, version());
    if (!text) return tell(text.error());
    std::fputs(text->c_str(), stdout);
    return 0;
}

}  // namespace penstock
