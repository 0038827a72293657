// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <boost/json.hpp>
#include <iostream>

#include "cli/invocation.h"
#include "cli/nouns.h"
#include "cli/price_columns.h"
#include "cli/tokenizer_upload.h"
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
                wide(class_price_column("CACHE-READ/M", "prices", "cache_read")),
                wide(class_price_column("CACHE-WRITE-5M/M", "prices", "cache_write_5m")),
                wide(class_price_column("CACHE-WRITE-1H/M", "prices", "cache_write_1h")),
                wide(class_price_column("IMAGE/M", "prices", "input_image")),
                wide(class_price_column("AUDIO/M", "prices", "input_audio")),
                wide(class_price_column("REASONING/M", "prices", "output_reasoning")),
                wide(class_price_column("AUDIO-OUT/M", "prices", "output_audio")),
                wide(text_column("BATCH-PERCENT", "batch_percent")),
                wide(text_column("CACHED-PERCENT", "cached_percent")),
                wide(text_column("PRICE-VERSION", "price_version")),
                wide(computed_column("SECOND-METER", second_meter_cell)),
                wide(text_column("CONTINUATION", "continuation")),
                wide(text_column("ON-DISCONNECT", "on_disconnect")),
                wide(text_column("WEIGHT", "weight")),
                wide(text_column("PHASE", "phase")),
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

Result<Price> parsed_price(std::string_view flag, const std::string& text) {
    Result<Price> value = parse_price(text);
    if (!value)
        return fail_field(
            ErrorCode::invalid_argument, "--" + std::string(flag), std::move(value.error().message)
        );
    return value;
}

Result<Price> price(const Invocation& invocation, std::string_view flag) {
    return parsed_price(flag, TRY(needed(invocation, flag, "0.10, in yuan per million tokens")));
}

// Prices of classes: a flag sets one, "none" lifts it, so that the declared fallback holds.
constexpr std::array<std::pair<std::string_view, std::optional<Price> ClassPrices::*>, 7>
    kClassFlags{{
        {"price-cache-read", &ClassPrices::cache_read},
        {"price-cache-write-5m", &ClassPrices::cache_write_5m},
        {"price-cache-write-1h", &ClassPrices::cache_write_1h},
        {"price-input-image", &ClassPrices::input_image},
        {"price-input-audio", &ClassPrices::input_audio},
        {"price-reasoning", &ClassPrices::output_reasoning},
        {"price-output-audio", &ClassPrices::output_audio},
    }};

// Nothing where no flag says anything of them.
Result<std::optional<ClassPrices>> class_prices(
    const Invocation& invocation, std::optional<ClassPrices> before
) {
    ClassPrices prices = before.value_or(ClassPrices());
    bool said = false;
    for (const auto& [flag, member] : kClassFlags) {
        const std::optional<std::string> text = invocation.arguments.value(flag);
        if (!text) continue;
        said = true;
        if (*text == "none")
            (prices.*member).reset();
        else
            prices.*member = TRY(parsed_price(flag, *text));
    }
    return said ? std::optional(prices) : std::nullopt;
}

// Percent of the list prices; "none" lifts it, which the API says as 0.
Result<std::optional<std::int64_t>> share(const Invocation& invocation, std::string_view flag) {
    if (invocation.arguments.value(flag) == "none") return std::optional<std::int64_t>(0);
    return integer_flag(invocation.arguments, flag);
}

// One of the words of `Choice`; nothing where the flag is not there.
template <class Choice>
Result<std::optional<Choice>> choice(const Invocation& invocation, std::string_view flag) {
    const std::optional<std::string> word = invocation.arguments.value(flag);
    if (!word) return std::optional<Choice>();
    Choice chosen{};
    if (boost::describe::enum_from_string(word->c_str(), chosen)) return std::optional(chosen);
    std::string known;
    boost::mp11::mp_for_each<boost::describe::describe_enumerators<Choice>>([&](auto each) {
        known.append(known.empty() ? "" : ", ").append(each.name);
    });
    return fail_field(
        ErrorCode::invalid_argument, "--" + std::string(flag),
        "'" + *word + "' is not one of " + known
    );
}

// "none" takes it away.
std::optional<std::string> quantization(const Invocation& invocation) {
    std::optional<std::string> name = invocation.arguments.value("quantization");
    return name == "none" ? std::string() : name;
}

std::vector<Flag> offer_flags() {
    return {
        {.name = "price-input", .value = "YUAN", .help = "flag.price_input"},
        {.name = "price-output", .value = "YUAN", .help = "flag.price_output"},
        {.name = "price-cache-read", .value = "YUAN", .help = "flag.price_cache_read"},
        {.name = "price-cache-write-5m", .value = "YUAN", .help = "flag.price_cache_write_5m"},
        {.name = "price-cache-write-1h", .value = "YUAN", .help = "flag.price_cache_write_1h"},
        {.name = "price-input-image", .value = "YUAN", .help = "flag.price_input_image"},
        {.name = "price-input-audio", .value = "YUAN", .help = "flag.price_input_audio"},
        {.name = "price-reasoning", .value = "YUAN", .help = "flag.price_reasoning"},
        {.name = "price-output-audio", .value = "YUAN", .help = "flag.price_output_audio"},
        {.name = "batch-percent", .value = "PERCENT", .help = "flag.batch_percent"},
        {.name = "cached-percent", .value = "PERCENT", .help = "flag.cached_percent"},
        {.name = "tokenizer", .value = "FILE", .help = "flag.tokenizer"},
        {.name = "quantization", .value = "NAME", .help = "flag.quantization"},
        {.name = "data-policy", .value = "WORD", .help = "flag.data_policy"},
        {.name = "continuation",
         .value = "WAY",
         .help = "flag.continuation",
         .choices = "none|final_message|prefill|prefix"},
        {.name = "on-disconnect",
         .value = "POLICY",
         .help = "flag.on_disconnect",
         .choices = "cancel_count|cancel_estimate|drain|no_bill"},
        {.name = "weight", .value = "N", .help = "flag.endpoint_weight"},
        {.name = "phase", .value = "PHASE", .help = "flag.phase", .choices = "both|prefill|decode"},
    };
}

std::vector<Flag> with_offer(std::vector<Flag> flags) {
    for (const Flag& flag : offer_flags()) flags.push_back(flag);
    return flags;
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
    endpoint.class_prices = TRY(class_prices(invocation, std::nullopt));
    endpoint.batch_percent = TRY(share(invocation, "batch-percent"));
    endpoint.cached_percent = TRY(share(invocation, "cached-percent"));
    endpoint.quantization = quantization(invocation);
    if (endpoint.quantization == "") endpoint.quantization.reset();
    endpoint.data_policy = TRY(choice<DataPolicy>(invocation, "data-policy"));
    endpoint.continuation = TRY(choice<Continuation>(invocation, "continuation"));
    endpoint.on_disconnect = TRY(choice<DisconnectPolicy>(invocation, "on-disconnect"));
    endpoint.weight = TRY(integer_flag(invocation.arguments, "weight"));
    endpoint.phase = TRY(choice<EnginePhase>(invocation, "phase"));
    endpoint.upstream_model = invocation.arguments.value("upstream-model");
    if (const auto site = invocation.arguments.value("site"))
        endpoint.site = TRY(name_of(*site, "site"));
    if (const auto file = invocation.arguments.value("api-key-file"))
        endpoint.api_key = TRY(upstream_key(invocation, *file));
    return endpoint;
}

io::Task<Result<int>> create(Invocation* invocation) {
    CreateEndpoint wanted = CO_TRY(wanted_endpoint(*invocation));
    client::Client* client = CO_TRY(invocation->client());
    wanted.tokenizer_sha256 = CO_TRY(co_await upload_tokenizer(invocation));
    const Endpoint endpoint = CO_TRY(co_await client->create_endpoint(wanted));
    CO_TRY(print_object(*invocation, view(), endpoint));
    if (invocation->printer.for_people()) invocation->say("endpoint.next", endpoint.model);
    co_return kExitOk;
}

io::Task<Result<int>> update(Invocation* invocation) {
    client::Client* client = CO_TRY(invocation->client());
    const std::string id = CO_TRY(name_of(invocation->operand(0), "endpoint"));
    UpdateEndpoint change;
    if (const auto text = invocation->arguments.value("price-input"))
        change.price_input = CO_TRY(parsed_price("price-input", *text));
    if (const auto text = invocation->arguments.value("price-output"))
        change.price_output = CO_TRY(parsed_price("price-output", *text));
    change.quantization = quantization(*invocation);
    change.data_policy = CO_TRY(choice<DataPolicy>(*invocation, "data-policy"));
    change.continuation = CO_TRY(choice<Continuation>(*invocation, "continuation"));
    change.on_disconnect = CO_TRY(choice<DisconnectPolicy>(*invocation, "on-disconnect"));
    change.weight = CO_TRY(integer_flag(invocation->arguments, "weight"));
    change.phase = CO_TRY(choice<EnginePhase>(*invocation, "phase"));
    const Endpoint before = CO_TRY(co_await client->endpoint(id));
    change.class_prices = CO_TRY(class_prices(*invocation, before.class_prices));
    change.batch_percent = CO_TRY(share(*invocation, "batch-percent"));
    change.cached_percent = CO_TRY(share(*invocation, "cached-percent"));
    change.tokenizer_sha256 = CO_TRY(co_await upload_tokenizer(invocation));
    if (change == UpdateEndpoint{})
        co_return fail_field(
            ErrorCode::invalid_argument, "--price-input",
            "nothing is to be changed: name a price, a tokenizer or another flag, for "
            "instance "
            "--price-cache-read 0.01"
        );
    const Endpoint endpoint = CO_TRY(co_await client->update_endpoint(id, change));
    co_return print_object(*invocation, view(), endpoint);
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
              "--protocol anthropic --price-input 0.10 --price-output 0.40 --price-cache-read 0.01 "
              "--api-key-file -"},
         .flags = with_offer(
             {{.name = "model", .value = "NAME", .help = "flag.model"},
              {.name = "url", .value = "URL", .help = "flag.url"},
              {.name = "protocol",
               .value = "NAME",
               .help = "flag.protocol",
               .choices = "openai|anthropic|ollama"},
              {.name = "upstream-model", .value = "NAME", .help = "flag.upstream_model"},
              {.name = "site", .value = "SITE", .help = "flag.endpoint_site"},
              {.name = "api-key-file", .value = "FILE", .help = "flag.api_key_file"}}
         ),
         .run = create},
        {.path = "endpoint update",
         .summary = "endpoint.update.summary",
         .examples =
             {"penstock endpoint update ep_01k… --price-input 0.12 --price-cache-read 0.012",
              "penstock endpoint update ep_01k… --price-reasoning none"},
         .operands = {{.name = "ENDPOINT"}},
         .flags = offer_flags(),
         .run = update},
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
