// SPDX-License-Identifier: Apache-2.0
#include "cli/version.h"

#include <boost/json.hpp>

#include "cli/invocation.h"
#include "cli/nouns.h"

namespace penstock::cli {

std::string_view client_version() { return PENSTOCK_VERSION; }

namespace {

constexpr Duration kServerVersionWaitMax = 2s;

io::Task<Result<int>> version(Invocation* invocation) {
    json::Object value{
        {"client", json::Object{{"version", boost::json::string(client_version())}, {"api", "v1"}}}
    };
    std::string lines = format(invocation->language, "version.client", client_version()) + "\n";
    if (invocation->settings.endpoint.is_set() && !invocation->has("client")) {
        client::Client* client = CO_TRY(invocation->client());
        const Result<Version> server = co_await io::with_deadline(
            client->version(), io::Deadline::after(kServerVersionWaitMax)
        );
        if (server) {
            value["server"] = json::encode(*server);
            lines += format(
                         invocation->language, "version.server", server->version, server->api,
                         invocation->settings.endpoint.value
                     ) +
                     "\n";
        } else {
            invocation->say(
                "version.unreachable", invocation->settings.endpoint.value, server.error().message
            );
        }
    }
    CO_TRY(invocation->printer.document(value, lines));
    co_return kExitOk;
}

}  // namespace

std::vector<Command> version_commands() {
    return {
        {.path = "version",
         .summary = "version.summary",
         .examples = {"penstock version", "penstock version --json"},
         .flags = {{.name = "client", .help = "flag.client_only"}},
         .run = version},
    };
}

}  // namespace penstock::cli
