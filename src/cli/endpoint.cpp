// SPDX-License-Identifier: Apache-2.0
#include <boost/json.hpp>
#include <iostream>

#include "cli/invocation.h"
#include "cli/nouns.h"
#include "config/settings.h"

namespace penstock::cli {
namespace {

constexpr std::size_t kUpstreamKeyBytesMax = 4096;

const View& view() {
    static const View kView{
        .plural = "endpoints",
        .singular = "endpoint",
        .columns =
            {
                text_column("ID", "id"),
                text_column("MODEL", "model"),
                text_column("PROVIDER", "provider"),
                text_column("SITE", "site"),
                text_column("STATE", "state"),
                amount_column("INPUT/M", "price_input"),
                amount_column("OUTPUT/M", "price_output"),
                text_column("URL", "url"),
                wide(text_column("PROTOCOL", "protocol")),
                wide(text_column("UPSTREAM-MODEL", "upstream_model")),
                wide(text_column("C-URL", "c_url")),
                wide(text_column("PROBE", "probe")),
                wide(text_column("TASK", "task_id")),
                wide(text_column("SIMULATED", "simulated")),
                age_column("AGE", "created_at"),
            },
    };
    return kView;
}

Result<std::string> needed(
    const Invocation& invocation, std::string_view flag, std::string_view example
) {
    const std::optional<std::string> value = invocation.arguments.value(flag);
    if (value) return *value;
    return fail_field(
        ErrorCode::invalid_argument, "--" + std::string(flag),
        "is missing: for instance --" + std::string(flag) + " " + std::string(example)
    );
}

Result<Price> price(const Invocation& invocation, std::string_view flag) {
    Result<Price> value =
        parse_price(TRY(needed(invocation, flag, "0.10, in yuan per million tokens")));
    if (!value)
        return fail_field(
            ErrorCode::invalid_argument, "--" + std::string(flag), std::move(value.error().message)
        );
    return value;
}

// Secrets never stand in flags: a file, or "-" for standard input.
Result<std::string> upstream_key(const Invocation& invocation, const std::string& name) {
    std::string key;
    if (name == "-")
        std::getline(invocation.terminal.in, key);
    else
        key = TRY(
            config::read_file(invocation.surroundings.working_folder / name, kUpstreamKeyBytesMax)
        );
    while (key.ends_with('\n') || key.ends_with('\r') || key.ends_with(' ')) key.pop_back();
    if (key.empty())
        return fail_field(ErrorCode::invalid_argument, "--api-key-file", "'" + name + "' is empty");
    return key;
}

Result<CreateEndpoint> wanted_endpoint(const Invocation& invocation) {
    CreateEndpoint endpoint;
    endpoint.model = TRY(needed(invocation, "model", "qwen3-8b"));
    endpoint.url = TRY(needed(invocation, "url", "http://127.0.0.1:9000"));
    endpoint.protocol = invocation.arguments.value_or("protocol", "openai");
    endpoint.price_input = TRY(price(invocation, "price-input"));
    endpoint.price_output = TRY(price(invocation, "price-output"));
    endpoint.upstream_model = invocation.arguments.value("upstream-model");
    if (const auto site = invocation.arguments.value("site"))
        endpoint.site = TRY(name_of(*site, "site"));
    if (const auto file = invocation.arguments.value("api-key-file"))
        endpoint.api_key = TRY(upstream_key(invocation, *file));
    return endpoint;
}

io::Task<Result<int>> create(Invocation* invocation) {
    const CreateEndpoint wanted = CO_TRY(wanted_endpoint(*invocation));
    client::Client* client = CO_TRY(invocation->client());
    const Endpoint endpoint = CO_TRY(co_await client->create_endpoint(wanted));
    CO_TRY(print_object(*invocation, view(), endpoint));
    if (invocation->printer.for_people()) invocation->say("endpoint.next", endpoint.model);
    co_return kExitOk;
}

io::Task<Result<int>> list(Invocation* invocation) {
    co_return co_await print_list<EndpointPage>(invocation, "/v1/endpoints", &view());
}

io::Task<Result<int>> get(Invocation* invocation) {
    client::Client* client = CO_TRY(invocation->client());
    const std::string id = CO_TRY(name_of(invocation->operand(0), "endpoint"));
    co_return print_object(*invocation, view(), CO_TRY(co_await client->endpoint(id)));
}

io::Task<Result<int>> remove(Invocation* invocation) {
    client::Client* client = CO_TRY(invocation->client());
    for (const std::string& operand : invocation->arguments.operands) {
        const std::string id = CO_TRY(name_of(operand, "endpoint"));
        CO_TRY(co_await client->delete_endpoint(id));
        invocation->say("endpoint.deleted", id);
    }
    co_return kExitOk;
}

}  // namespace

std::vector<Command> endpoint_commands() {
    return {
        {.path = "endpoint create",
         .summary = "endpoint.create.summary",
         .examples =
             {"penstock endpoint create --model M --url http://127.0.0.1:9000 --protocol openai "
              "--price-input 0.10 --price-output 0.40",
              "pass show engine | penstock endpoint create --model M --url https://engine.example "
              "--protocol anthropic --price-input 0.10 --price-output 0.40 --api-key-file -"},
         .flags =
             {{.name = "model", .value = "NAME", .help = "flag.model"},
              {.name = "url", .value = "URL", .help = "flag.url"},
              {.name = "protocol",
               .value = "NAME",
               .help = "flag.protocol",
               .choices = "openai|anthropic|ollama"},
              {.name = "price-input", .value = "YUAN", .help = "flag.price_input"},
              {.name = "price-output", .value = "YUAN", .help = "flag.price_output"},
              {.name = "upstream-model", .value = "NAME", .help = "flag.upstream_model"},
              {.name = "site", .value = "SITE", .help = "flag.endpoint_site"},
              {.name = "api-key-file", .value = "FILE", .help = "flag.api_key_file"}},
         .run = create},
        {.path = "endpoint list",
         .summary = "endpoint.list.summary",
         .examples = {"penstock endpoint list -o wide"},
         .answer = Answer::list,
         .run = list},
        {.path = "endpoint get",
         .summary = "endpoint.get.summary",
         .examples = {"penstock endpoint get ep_01k…"},
         .operands = {{.name = "ENDPOINT"}},
         .run = get},
        {.path = "endpoint delete",
         .summary = "endpoint.delete.summary",
         .examples = {"penstock endpoint delete ep_01k…"},
         .operands = {{.name = "ENDPOINT", .repeated = true}},
         .answer = Answer::none,
         .run = remove},
    };
}

}  // namespace penstock::cli
