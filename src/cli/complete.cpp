// SPDX-License-Identifier: Apache-2.0
#include <boost/json.hpp>

#include "cli/completion.h"
#include "cli/invocation.h"
#include "cli/nouns.h"

namespace penstock::cli {
namespace {

constexpr Duration kCompletionWaitMax = 1s;
constexpr std::int64_t kCompletionNamesMax = 200;

io::Task<Result<int>> completion(Invocation* invocation) {
    invocation->terminal.print(
        CO_TRY(completion_script(invocation->operand(0), invocation->language))
    );
    co_return kExitOk;
}

io::Task<Result<std::string>> names_of(Invocation* invocation, std::string noun) {
    client::Client* client = CO_TRY(invocation->client());
    const client::ListQuery query{.page_size = kCompletionNamesMax};
    std::string names;
    const auto add = [&](const std::string& name) { names += noun + "/" + name + "\n"; };
    if (noun == "task") {
        const TaskPage page = CO_TRY(co_await client->list<TaskPage>("/v1/tasks", query));
        for (const Task& task : page.tasks) add(task.name.empty() ? to_string(task.id) : task.name);
    } else if (noun == "node") {
        const NodePage page = CO_TRY(co_await client->list<NodePage>("/v1/nodes", query));
        for (const Node& node : page.nodes) add(node.name);
    } else if (noun == "site") {
        const SitePage page = CO_TRY(co_await client->list<SitePage>("/v1/sites", query));
        for (const Site& site : page.sites) add(site.spec.name);
    } else if (noun == "key") {
        const KeyPage page = CO_TRY(co_await client->list<KeyPage>("/v1/keys", query));
        for (const Key& key : page.keys) add(to_string(key.id));
    } else if (noun == "endpoint") {
        const EndpointPage page =
            CO_TRY(co_await client->list<EndpointPage>("/v1/endpoints", query));
        for (const Endpoint& endpoint : page.endpoints) add(to_string(endpoint.id));
    } else if (noun == "gateway") {
        const GatewayPage page = CO_TRY(co_await client->list<GatewayPage>("/v1/gateways", query));
        for (const GatewayStatus& gateway : page.gateways) add(gateway.name);
    } else if (noun == "context") {
        for (const ContextEntry& context : invocation->settings.contexts) add(context.name);
    }
    co_return names;
}

// Called by the shell at a key press: names within a second, or nothing, and never a message.
io::Task<Result<int>> complete(Invocation* invocation) {
    const Result<std::string> names = co_await io::with_deadline(
        names_of(invocation, invocation->operand(0)), io::Deadline::after(kCompletionWaitMax)
    );
    if (names) invocation->terminal.print(*names);
    co_return kExitOk;
}

}  // namespace

std::vector<Command> completion_commands() {
    return {
        {.path = "completion",
         .summary = "completion.summary",
         .examples =
             {"source <(penstock completion bash)",
              "penstock completion zsh > \"${fpath[1]}/_penstock\"",
              "penstock completion fish > ~/.config/fish/completions/penstock.fish"},
         .operands = {{.name = "SHELL"}},
         .answer = Answer::none,
         .run = completion},
        {.path = kCompleteCommand,
         .summary = "completion.names.summary",
         .operands = {{.name = "NOUN"}},
         .answer = Answer::none,
         .run = complete},
    };
}

}  // namespace penstock::cli
