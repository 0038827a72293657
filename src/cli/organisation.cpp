// SPDX-License-Identifier: Apache-2.0
#include <boost/json.hpp>

#include "cli/invocation.h"
#include "cli/nouns.h"

namespace penstock::cli {
namespace {

const View& organisation_view() {
    static const View kView{
        .plural = "organisations",
        .singular = "organisation",
        .columns =
            {text_column("ID", "id"), text_column("NAME", "name"), text_column("CODE", "code"),
             text_column("ROLES", "roles"), age_column("AGE", "created_at")},
    };
    return kView;
}
const View& project_view() {
    static const View kView{
        .plural = "projects",
        .singular = "project",
        .columns =
            {text_column("ID", "id"), text_column("NAME", "name"),
             text_column("ORGANISATION", "organisation_id"), age_column("AGE", "created_at")},
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
io::Task<Result<int>> create_project(Invocation* invocation) {
    client::Client* client = CO_TRY(invocation->client());
    CreateProject wanted;
    wanted.name = invocation->operand(0);
    co_return print_object(
        *invocation, project_view(), CO_TRY(co_await client->create_project(wanted))
    );
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
