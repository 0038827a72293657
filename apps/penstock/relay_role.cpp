// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <cstdio>

#include "config/settings.h"
#include "relay/relay.h"
#include "role.h"
#include "roles.h"

namespace penstock {
namespace {

struct RelayFlags {
    std::string listen = "127.0.0.1:8090";
    std::vector<std::string> engines;
    std::string key_file;
    std::string engine_key_file;
    bool open = false;
    std::size_t calls_max = relay::RelayOptions{}.calls_max;
    std::string answer_timeout = "10m";
    std::string read_timeout = "10m";
    std::string log_level = "info";
};

Result<std::string> read_key(const std::string& path) {
    std::string key = TRY(config::read_file(path));
    while (!key.empty() && (key.back() == '\n' || key.back() == '\r')) key.pop_back();
    return key;
}

Result<relay::RelayOptions> options_of(const RelayFlags& flags) {
    relay::RelayOptions options;
    options.engines = flags.engines;
    if (flags.key_file.empty() != flags.open)
        return fail_field(
            ErrorCode::invalid_argument, "--key-file",
            "name the file with the key that callers show, or say --open for an address that only "
            "those can reach who may use the engines; not both"
        );
    if (!flags.open) {
        options.key = TRY(read_key(flags.key_file));
        if (options.key.empty())
            return fail_field(ErrorCode::invalid_argument, "--key-file", "the file has no key");
    }
    if (!flags.engine_key_file.empty()) options.engine_key = TRY(read_key(flags.engine_key_file));
    options.calls_max = flags.calls_max;
    options.answer_timeout = TRY(parse_duration(flags.answer_timeout));
    options.read_timeout = TRY(parse_duration(flags.read_timeout));
    return options;
}

io::Task<http::Response> answer(int status, std::string text) {
    co_return http::Response::text(status, std::move(text));
}

Result<int> serve(const RelayFlags& flags) {
    const Listen address = TRY(parse_listen(flags.listen));
    telemetry::Logger log =
        TRY(telemetry::Logger::open({.level = TRY(telemetry::parse_level(flags.log_level))}));
    relay::RelayOptions options = TRY(options_of(flags));
    Process process(log);
    const std::unique_ptr<relay::Relay> relay = TRY(relay::Relay::open(
        std::move(options),
        {process.runtime, process.clock, process.random, log.component("relay"), process.metrics}
    ));
    relay->add_routes(process.router);
    process.router.add("GET", "/livez", [](const http::Request&) { return answer(200, "ok\n"); });
    process.router.add("GET", "/readyz", [&relay](const http::Request&) {
        return relay->ready() ? answer(200, "ok\n") : answer(503, "no engine can be reached\n");
    });
    add_metrics(process);
    TRY(process.listen(address, process.metrics));
    std::printf(
        "Penstock relay at http://%s:%d\n", address.host.c_str(), process.listener->local_port()
    );
    std::fflush(stdout);
    return process.run();
}

}  // namespace

int run_relay(int argc, char** argv) {
    RelayFlags flags;
    CLI::App app("Gives the inference engines of a site one address.", "penstock relay");
    app.add_option("--listen", flags.listen, "HOST:PORT where requests come in")
        ->capture_default_str();
    app.add_option("--engine", flags.engines, "address of an engine; once for each")->required();
    app.add_option("--key-file", flags.key_file, "file with the key that callers show");
    app.add_flag("--open", flags.open, "take requests without a key");
    app.add_option("--engine-key-file", flags.engine_key_file, "file with the key of the engines");
    app.add_option("--calls-max", flags.calls_max, "requests in flight at one time; above: 503")
        ->capture_default_str();
    app.add_option(
           "--answer-timeout", flags.answer_timeout, "up to the header of an engine's answer"
    )
        ->capture_default_str();
    app.add_option("--read-timeout", flags.read_timeout, "without a byte of an answer's body")
        ->capture_default_str();
    app.add_option("--log-level", flags.log_level, "debug, info, warning or error")
        ->capture_default_str();
    CLI11_PARSE(app, argc, argv);
    const Result<int> code = serve(flags);
    return code ? *code : tell(code.error());
}

}  // namespace penstock
