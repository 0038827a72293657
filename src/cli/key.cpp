// SPDX-License-Identifier: Apache-2.0
#include <boost/json.hpp>

#include "cli/invocation.h"
#include "cli/nouns.h"

namespace penstock::cli {
namespace {

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
                text_column("EXPIRES", "expires_at"),
                text_column("REVOKED", "revoked_at"),
                wide(text_column("SITE", "site_id")),
                wide(text_column("PROJECT", "project_id")),
                age_column("AGE", "created_at"),
            },
    };
    return kView;
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
    return json::decode<CreateKey>(document);
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
              "penstock key create --name edge-1 --scope agent --site site/edge"},
         .flags =
             {{.name = "name", .value = "NAME", .help = "flag.key_name"},
              {.name = "scope",
               .value = "SCOPE",
               .help = "flag.scope",
               .repeated = true,
               .choices = "tasks_read|tasks_write|tokens|billing_read|keys_write|provider|agent|"
                          "gateway|operator"},
              {.name = "expires-in", .value = "SPAN", .help = "flag.expires_in"},
              {.name = "site", .value = "SITE", .help = "flag.key_site"},
              {.name = "organisation", .value = "NAME", .help = "flag.organisation"}},
         .run = create},
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
