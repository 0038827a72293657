// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <boost/json.hpp>
#include <iostream>

#include "cli/invocation.h"
#include "cli/nouns.h"
#include "config/settings.h"
#include "http/url.h"

namespace penstock::cli {
namespace {

constexpr std::size_t kKeyFileBytesMax = 4096;

std::string current_cell(const json::Value& row, const Look&) {
    return row.at("current").as_bool() ? "*" : "";
}

const View& view() {
    static const View kView{
        .plural = "contexts",
        .singular = "context",
        .columns =
            {text_column("NAME", "name"), computed_column("CURRENT", current_cell),
             text_column("ENDPOINT", "endpoint"), text_column("PROJECT", "project"),
             text_column("CREDENTIAL", "credential")},
        .id = "name",
    };
    return kView;
}

std::filesystem::path user_file(const Invocation& invocation) {
    const std::string stated = invocation.surroundings.variable("PENSTOCK_CONFIG");
    return stated.empty() ? invocation.surroundings.config_home / "config.yaml"
                          : std::filesystem::path(stated);
}

io::Task<Result<int>> list(Invocation* invocation) {
    json::Array contexts;
    for (const ContextEntry& entry : invocation->settings.contexts) {
        json::Object row{
            {"name", entry.name},
            {"current", entry.name == invocation->settings.context.value},
            {"endpoint", entry.endpoint}
        };
        if (entry.project) row["project"] = *entry.project;
        row["credential"] = entry.credential.value_or(entry.name);
        contexts.push_back(std::move(row));
    }
    const auto total = static_cast<std::int64_t>(contexts.size());
    const json::Value page = json::Object{{"contexts", std::move(contexts)}, {"total", total}};
    CO_TRY(invocation->printer.list(view(), page));
    co_return kExitOk;
}

io::Task<Result<int>> use(Invocation* invocation) {
    const std::string name = CO_TRY(name_of(invocation->operand(0), "context"));
    const auto& contexts = invocation->settings.contexts;
    if (std::ranges::find(contexts, name, &ContextEntry::name) == contexts.end())
        co_return fail(
            ErrorCode::not_found, "there is no context '" + name + "': see penstock context list"
        );
    const std::filesystem::path file = user_file(*invocation);
    ConfigFile config = CO_TRY(load_config(file));
    config.current_context = name;
    CO_TRY(save_config(file, config));
    invocation->say("context.used", name);
    co_return kExitOk;
}

io::Task<Result<int>> create(Invocation* invocation) {
    ContextEntry context{.name = CO_TRY(name_of(invocation->operand(0), "context"))};
    // --endpoint is a global flag, and here it is the context's own.
    const std::optional<std::string> endpoint = invocation->arguments.value("endpoint");
    if (!endpoint)
        co_return fail_field(
            ErrorCode::invalid_argument, "--endpoint",
            "is missing: for instance --endpoint https://penstock.example"
        );
    const Result<http::Url> url = http::parse_url(*endpoint);
    if (!url) co_return fail_field(ErrorCode::invalid_argument, "--endpoint", url.error().message);
    context.endpoint = *endpoint;
    context.project = invocation->arguments.value("project");
    context.ca_file = invocation->arguments.value("ca-file");
    std::string key;
    if (const auto file = invocation->arguments.value("key-file")) {
        if (*file == "-")
            std::getline(invocation->terminal.in, key);
        else
            key = CO_TRY(
                config::read_file(invocation->surroundings.working_folder / *file, kKeyFileBytesMax)
            );
        while (key.ends_with('\n') || key.ends_with('\r') || key.ends_with(' ')) key.pop_back();
        if (key.empty())
            co_return fail_field(
                ErrorCode::invalid_argument, "--key-file", "'" + *file + "' is empty"
            );
    }
    CO_TRY(write_context(invocation->surroundings.config_home, context, key));
    invocation->say("context.created", context.name, context.endpoint);
    co_return kExitOk;
}

io::Task<Result<int>> effective(Invocation* invocation) {
    static const View kView{
        .plural = "settings",
        .singular = "setting",
        .columns =
            {text_column("NAME", "name"), text_column("VALUE", "value"),
             text_column("SOURCE", "source")},
        .id = "name",
    };
    const Settings& settings = invocation->settings;
    json::Array rows;
    const auto add = [&](std::string_view name, const Setting& setting, bool secret) {
        json::Object row{{"name", boost::json::string(name)}};
        row["value"] = secret && setting.is_set() ? "(set)" : setting.value;
        row["source"] = setting.source;
        rows.push_back(std::move(row));
    };
    add("context", settings.context, false);
    add("endpoint", settings.endpoint, false);
    add("key", settings.key, true);
    add("project", settings.project, false);
    add("output", settings.output, false);
    add("lang", settings.language, false);
    add("ca_file", settings.ca_file, false);
    const auto total = static_cast<std::int64_t>(rows.size());
    const json::Value page = json::Object{{"settings", std::move(rows)}, {"total", total}};
    CO_TRY(invocation->printer.list(kView, page));
    co_return kExitOk;
}

}  // namespace

std::vector<Command> context_commands() {
    return {
        {.path = "context list",
         .summary = "context.list.summary",
         .examples = {"penstock context list"},
         .run = list},
        {.path = "context use",
         .summary = "context.use.summary",
         .examples = {"penstock context use centre"},
         .operands = {{.name = "CONTEXT"}},
         .answer = Answer::none,
         .run = use},
        {.path = "context create",
         .summary = "context.create.summary",
         .examples = {"pass show penstock | penstock context create centre --endpoint "
                      "https://penstock.example --key-file -"},
         .operands = {{.name = "NAME"}},
         .flags =
             {{.name = "key-file", .value = "FILE", .help = "flag.key_file"},
              {.name = "ca-file", .value = "FILE", .help = "flag.ca_file"}},
         .answer = Answer::none,
         .run = create},
        {.path = "config list",
         .summary = "config.list.summary",
         .examples = {"penstock config list"},
         .run = effective},
    };
}

}  // namespace penstock::cli
