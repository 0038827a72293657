// SPDX-License-Identifier: Apache-2.0
#include "identity/c_url.h"
#include "model/identifier.h"
#include "server/lists.h"
#include "server/routes.h"

namespace penstock::server {
namespace {

std::string reg_of(const std::string& c_url) {
    const auto parsed = identity::parse(c_url);
    return parsed ? identity::to_string(parsed->code) : std::string();
}

std::vector<Identifier> all_identifiers(
    const Platform& platform, const access::Principal& principal
) {
    std::vector<Identifier> all;
    for (const Site* site : platform.fleet.sites())
        all.push_back(
            {reg_of(site->c_url), site->c_url, "site", site->spec.name,
             "site/" + to_string(site->id)}
        );
    for (const Pool* pool : platform.fleet.pools())
        all.push_back(
            {reg_of(pool->c_url), pool->c_url, "pool",
             platform.fleet.find_site(pool->site_id)->spec.name + "/" + pool->sku,
             "site/" + to_string(pool->site_id)}
        );
    for (const Task* task : platform.board.list([&](const Task& each) {
             return each.service && each.organisation_id == principal.organisation_id;
         }))
        all.push_back(
            {reg_of(task->service->c_url), task->service->c_url, "service", task->name,
             "task/" + to_string(task->id)}
        );
    return all;
}

Outcome get_identifier(const Platform& platform, Call& call) {
    const auto wanted = identity::parse_identity(call.request.param("reg"));
    if (!wanted) return std::unexpected(Failure(identity::to_error(wanted.error(), "reg")));
    const std::string reg = identity::to_string(wanted->code);
    for (const Identifier& each : all_identifiers(platform, call.principal))
        if (each.reg == reg) return answer(each);
    return std::unexpected(Failure(
        Error{ErrorCode::not_found, "no_such_identifier: nothing you may see carries " + reg, "reg"}
    ));
}

}  // namespace

void add_identity_routes(Api& api) {
    Platform& platform = api.platform();
    api.query(
        "/v1/identifiers",
        {.operation = "listIdentifiers",
         .summary = "Codes issued here",
         .response = json::schema<IdentifierPage>,
         .list = true},
        [&platform](Call& call) {
            return list_page(
                call.request, all_identifiers(platform, call.principal),
                &IdentifierPage::identifiers, [](const Identifier& each) { return each.reg; }
            );
        }
    );
    api.query(
        "/v1/identifiers/{reg}",
        {.operation = "getIdentifier",
         .summary = "What carries a code or C-URL (percent-encoded)",
         .response = json::schema<Identifier>},
        [&platform](Call& call) { return get_identifier(platform, call); }
    );
}

}  // namespace penstock::server
