// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <boost/json.hpp>
#include <charconv>
#include <sstream>

#include "cli/call_settings.h"
#include "cli/invocation.h"
#include "cli/json_path.h"
#include "cli/nouns.h"

namespace penstock::cli {
namespace {

constexpr std::array<std::array<std::string_view, 2>, 5> kCounts{
    {{"rpm", "requests_per_minute"},
     {"rpd", "requests_per_day"},
     {"tpm", "tokens_per_minute"},
     {"tpd", "tokens_per_day"},
     {"concurrency", "concurrency"}}
};

// "budget=5.00/monthly rpm=60 models=a,b", as the flags set them.
std::string limits_cell(const json::Value& row, const Look&) {
    std::string text;
    const auto add = [&](std::string_view name, const std::string& value) {
        if (!value.empty()) text.append(text.empty() ? "" : " ").append(name).append("=" + value);
    };
    const std::string period = text_at(row, "limits.budget_period");
    const std::string budget = text_at(row, "limits.budget");
    add("budget", budget.empty() || period == "none" ? budget : budget + "/" + period);
    for (const auto& [flag, field] : kCounts)
        add(flag, text_at(row, "limits." + std::string(field)));
    for (const std::string_view list : {"models", "providers", "sites"})
        add(list, text_at(row, "limits." + std::string(list)));
    return text;
}

const View& view() {
    static const View kView{
        .plural = "keys",
        .singular = "key",
        .columns =
            {
                text_column("ID", "id"),
                text_column("NAME", "name"),
                text_column("PREFIX", "prefix"),
                text_column("SCOPES", "scopes"),
                computed_column("LIMITS", limits_cell),
                computed_column("SETTINGS", key_settings_cell),
                text_column("EXPIRES", "expires_at"),
                text_column("REVOKED", "revoked_at"),
                wide(text_column("SITE", "site_id")),
                wide(text_column("PROJECT", "project_id")),
                age_column("AGE", "created_at"),
            },
    };
    return kView;
}

Result<json::Value> whole_number(const Invocation& invocation, const std::string& flag) {
    const std::string text = invocation.arguments.value_or(flag, "");
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size())
        return fail_field(
            ErrorCode::invalid_argument, "--" + flag,
            "'" + text + "' is not a whole number, for instance 60"
        );
    return json::Value(number);
}

// What the flags say, over what `limits` has already.
Result<void> read_limits(const Invocation& invocation, json::Object& limits) {
    const auto& given = invocation.arguments;
    if (const auto budget = given.value("budget")) limits["budget"] = *budget;
    constexpr std::array<std::array<std::string_view, 2>, 4> kPeriods{
        {{"none", "none"}, {"day", "daily"}, {"week", "weekly"}, {"month", "monthly"}}
    };
    if (const auto period = given.value("budget-period"))
        for (const auto& [word, name] : kPeriods)
            if (*period == word) limits["budget_period"] = name;
    for (const auto& [flag, field] : kCounts)
        if (given.value(std::string(flag)))
            limits[field] = TRY(whole_number(invocation, std::string(flag)));
    if (const auto models = given.value("models")) {
        json::Array names;
        std::stringstream list(*models);
        for (std::string name; std::getline(list, name, ',');) names.push_back(json::Value(name));
        limits["models"] = std::move(names);
    }
    return {};
}

Result<CreateKey> wanted_key(const Invocation& invocation) {
    json::Object document;
    if (const auto name = invocation.arguments.value("name"))
        document["name"] = *name;
    else
        return fail_field(
            ErrorCode::invalid_argument, "--name",
            "is missing: say what the key is for, for instance --name ci"
        );
    json::Array scopes;
    for (const std::string& scope : invocation.arguments.values("scope"))
        scopes.push_back(json::Value(scope));
    if (!scopes.empty()) document["scopes"] = std::move(scopes);
    if (const auto span = invocation.arguments.value("expires-in")) document["expires_in"] = *span;
    if (const auto site = invocation.arguments.value("site"))
        document["site"] = TRY(name_of(*site, "site"));
    if (invocation.settings.project.is_set())
        document["project"] = invocation.settings.project.value;
    json::Object limits;
    TRY(read_limits(invocation, limits));
    if (!limits.empty()) document["limits"] = std::move(limits);
    CreateKey wanted = TRY(json::decode<CreateKey>(document));
    wanted.settings = TRY(call_settings_from_flags(invocation.arguments, std::nullopt));
    return wanted;
}

io::Task<Result<int>> create(Invocation* invocation) {
    const CreateKey wanted = CO_TRY(wanted_key(*invocation));
    client::Client* client = CO_TRY(invocation->client());
    const CreatedKey key = CO_TRY(
        co_await client->create_key(wanted, invocation->arguments.value_or("organisation", ""))
    );
    if (!invocation->printer.for_people()) co_return print_object(*invocation, view(), key);
    // The secret alone on stdout, so that $(penstock key create …) is the key.
    invocation->terminal.print(key.key + "\n");
    invocation->tell("key.created", to_string(key.id), key.name);
    co_return kExitOk;
}

io::Task<Result<int>> get(Invocation* invocation) {
    client::Client* client = CO_TRY(invocation->client());
    const std::string id = CO_TRY(name_of(invocation->arguments.operands.front(), "key"));
    const Key key = CO_TRY(co_await client->get_key(id));
    co_return print_object(*invocation, view(), key);
}

io::Task<Result<int>> update(Invocation* invocation) {
    client::Client* client = CO_TRY(invocation->client());
    const std::string id = CO_TRY(name_of(invocation->arguments.operands.front(), "key"));
    const Key before = CO_TRY(co_await client->get_key(id));
    json::Object limits = json::encode(before.limits.value_or(Limits())).as_object();
    CO_TRY(read_limits(*invocation, limits));
    json::Object document{{"limits", std::move(limits)}};
    if (const auto span = invocation->arguments.value("expires-in")) document["expires_in"] = *span;
    UpdateKey wanted = CO_TRY(json::decode<UpdateKey>(document));
    wanted.settings = CO_TRY(call_settings_from_flags(invocation->arguments, before.settings));
    const Key key = CO_TRY(co_await client->update_key(id, wanted));
    co_return print_object(*invocation, view(), key);
}

std::vector<Flag> limit_flags() {
    return {
        {.name = "budget", .value = "YUAN", .help = "flag.key_budget"},
        {.name = "budget-period",
         .value = "PERIOD",
         .help = "flag.budget_period",
         .choices = "none|day|week|month"},
        {.name = "rpm", .value = "N", .help = "flag.rpm"},
        {.name = "rpd", .value = "N", .help = "flag.rpd"},
        {.name = "tpm", .value = "N", .help = "flag.tpm"},
        {.name = "tpd", .value = "N", .help = "flag.tpd"},
        {.name = "concurrency", .value = "N", .help = "flag.concurrency"},
        {.name = "models", .value = "A,B", .help = "flag.models"},
        {.name = "expires-in", .value = "SPAN", .help = "flag.expires_in"},
    };
}

std::vector<Flag> with_limits(std::vector<Flag> flags) {
    for (const Flag& flag : limit_flags()) flags.push_back(flag);
    for (const Flag& flag : call_settings_flags()) flags.push_back(flag);
    return flags;
}

io::Task<Result<int>> list(Invocation* invocation) {
    co_return co_await print_list<KeyPage>(invocation, "/v1/keys", &view());
}

io::Task<Result<int>> remove(Invocation* invocation) {
    client::Client* client = CO_TRY(invocation->client());
    for (const std::string& operand : invocation->arguments.operands) {
        const std::string id = CO_TRY(name_of(operand, "key"));
        CO_TRY(co_await client->delete_key(id));
        invocation->say("key.deleted", id);
    }
    co_return kExitOk;
}

}  // namespace

std::vector<Command> key_commands() {
    return {
        {.path = "key create",
         .summary = "key.create.summary",
         .examples =
             {"penstock key create --name ci -o json",
              "penstock key create --name app --budget 5.00 --budget-period month --rpm 60 "
              "--models m",
              "penstock key create --name edge-1 --scope agent --site site/edge"},
         .flags = with_limits(
             {{.name = "name", .value = "NAME", .help = "flag.key_name"},
              {.name = "scope",
               .value = "SCOPE",
               .help = "flag.scope",
               .repeated = true,
               .choices = "tasks_read|tasks_write|tokens|billing_read|keys_write|provider|agent|"
                          "gateway|operator"},
              {.name = "site", .value = "SITE", .help = "flag.key_site"},
              {.name = "organisation", .value = "NAME", .help = "flag.organisation"}}
         ),
         .run = create},
        {.path = "key get",
         .summary = "key.get.summary",
         .examples = {"penstock key get ci -o json"},
         .operands = {{.name = "KEY"}},
         .run = get},
        {.path = "key update",
         .summary = "key.update.summary",
         .examples =
             {"penstock key update ci --budget 5.00 --budget-period month --rpm 60",
              "penstock key update ci --stream-failure continue --cache inherit"},
         .operands = {{.name = "KEY"}},
         .flags = with_limits({}),
         .run = update},
        {.path = "key list",
         .summary = "key.list.summary",
         .examples = {"penstock key list"},
         .answer = Answer::list,
         .run = list},
        {.path = "key delete",
         .summary = "key.delete.summary",
         .examples = {"penstock key delete ky_01k…"},
         .operands = {{.name = "KEY", .repeated = true}},
         .answer = Answer::none,
         .run = remove},
    };
}

}  // namespace penstock::cli
