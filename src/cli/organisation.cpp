// SPDX-License-Identifier: Apache-2.0
#include <boost/json.hpp>

#include "cli/call_settings.h"
#include "cli/invocation.h"
#include "cli/nouns.h"
#include "cli/quota.h"

namespace penstock::cli {
namespace {

const View& organisation_view() {
    static const View kView{
        .plural = "organisations",
        .singular = "organisation",
        .columns =
            {text_column("ID", "id"), text_column("NAME", "name"), text_column("CODE", "code"),
             text_column("ROLES", "roles"), computed_column("QUOTA", quota_cell),
             age_column("AGE", "created_at")},
    };
    return kView;
}
const View& project_view() {
    static const View kView{
        .plural = "projects",
        .singular = "project",
        .columns =
            {text_column("ID", "id"), text_column("NAME", "name"),
             text_column("ORGANISATION", "organisation_id"), computed_column("QUOTA", quota_cell),
             computed_column("SETTINGS", project_settings_cell), age_column("AGE", "created_at")},
    };
    return kView;
}

io::Task<Result<int>> create_organisation(Invocation* invocation) {
    json::Object document{{"name", invocation->operand(0)}};
    if (const auto code = invocation->arguments.value("code")) document["code"] = *code;
    json::Array roles;
    for (const std::string& role : invocation->arguments.values("role"))
        roles.push_back(json::Value(role));
    document["roles"] = std::move(roles);
    const CreateOrganisation wanted = CO_TRY(json::decode<CreateOrganisation>(document));
    client::Client* client = CO_TRY(invocation->client());
    co_return print_object(
        *invocation, organisation_view(), CO_TRY(co_await client->create_organisation(wanted))
    );
}
io::Task<Result<int>> list_organisations(Invocation* invocation) {
    co_return co_await print_list<OrganisationPage>(
        invocation, "/v1/organisations", &organisation_view()
    );
}
io::Task<Result<int>> get_organisation(Invocation* invocation) {
    client::Client* client = CO_TRY(invocation->client());
    const std::string id = CO_TRY(name_of(invocation->operand(0), "organisation"));
    co_return print_object(
        *invocation, organisation_view(), CO_TRY(co_await client->organisation(id))
    );
}
io::Task<Result<int>> update_organisation(Invocation* invocation) {
    client::Client* client = CO_TRY(invocation->client());
    const std::string id = CO_TRY(name_of(invocation->operand(0), "organisation"));
    const Organisation before = CO_TRY(co_await client->organisation(id));
    UpdateLimits change;
    change.quota =
        CO_TRY(quota_from_flags(invocation->arguments, before.quota.value_or(SetQuota{})));
    co_return print_object(
        *invocation, organisation_view(), CO_TRY(co_await client->update_organisation(id, change))
    );
}
io::Task<Result<int>> get_project(Invocation* invocation) {
    client::Client* client = CO_TRY(invocation->client());
    const std::string id = CO_TRY(name_of(invocation->operand(0), "project"));
    co_return print_object(*invocation, project_view(), CO_TRY(co_await client->project(id)));
}
io::Task<Result<int>> update_project(Invocation* invocation) {
    client::Client* client = CO_TRY(invocation->client());
    const std::string id = CO_TRY(name_of(invocation->operand(0), "project"));
    const Project before = CO_TRY(co_await client->project(id));
    UpdateLimits change;
    change.settings = CO_TRY(call_settings_from_flags(invocation->arguments, before.settings));
    const ComputeQuota quota =
        CO_TRY(quota_from_flags(invocation->arguments, before.quota.value_or(SetQuota{})));
    const bool is_changed = quota != ComputeQuota(before.quota.value_or(SetQuota{}));
    if (is_changed || !change.settings) change.quota = quota;
    co_return print_object(
        *invocation, project_view(), CO_TRY(co_await client->update_project(id, change))
    );
}
io::Task<Result<int>> create_project(Invocation* invocation) {
    client::Client* client = CO_TRY(invocation->client());
    CreateProject wanted;
    wanted.name = invocation->operand(0);
    co_return print_object(
        *invocation, project_view(), CO_TRY(co_await client->create_project(wanted))
    );
}
std::vector<Flag> project_flags() {
    std::vector<Flag> flags = quota_flags();
    for (const Flag& flag : call_settings_flags()) flags.push_back(flag);
    return flags;
}
io::Task<Result<int>> list_projects(Invocation* invocation) {
    co_return co_await print_list<ProjectPage>(invocation, "/v1/projects", &project_view());
}

}  // namespace

std::vector<Command> organisation_commands() {
    return {
        {.path = "organisation create",
         .summary = "organisation.create.summary",
         .examples = {"penstock organisation create hubei-compute --code 01002 --role provider"},
         .operands = {{.name = "NAME"}},
         .flags =
             {{.name = "code", .value = "CODE", .help = "flag.org_code"},
              {.name = "role",
               .value = "ROLE",
               .help = "flag.role",
               .repeated = true,
               .choices = "consumer|provider|operator"}},
         .run = create_organisation},
        {.path = "organisation list",
         .summary = "organisation.list.summary",
         .examples = {"penstock organisation list"},
         .answer = Answer::list,
         .run = list_organisations},
        {.path = "organisation get",
         .summary = "organisation.get.summary",
         .examples = {"penstock organisation get acme -o json"},
         .operands = {{.name = "NAME"}},
         .run = get_organisation},
        {.path = "organisation update",
         .summary = "organisation.update.summary",
         .examples =
             {"penstock organisation update acme --weight 2 --guaranteed H100=4 --at-most H100=8",
              "penstock organisation update acme --at-most cpus=none"},
         .operands = {{.name = "NAME"}},
         .flags = quota_flags(),
         .run = update_organisation},
        {.path = "project get",
         .summary = "project.get.summary",
         .examples = {"penstock project get vision"},
         .operands = {{.name = "NAME"}},
         .run = get_project},
        {.path = "project update",
         .summary = "project.update.summary",
         .examples =
             {"penstock project update vision --guaranteed cpus=16 --at-most any=4",
              "penstock project update vision --unsupported refuse --fix unsupported"},
         .operands = {{.name = "NAME"}},
         .flags = project_flags(),
         .run = update_project},
        {.path = "project create",
         .summary = "project.create.summary",
         .examples = {"penstock project create vision"},
         .operands = {{.name = "NAME"}},
         .run = create_project},
        {.path = "project list",
         .summary = "project.list.summary",
         .examples = {"penstock project list"},
         .answer = Answer::list,
         .run = list_projects},
    };
}

}  // namespace penstock::cli
