// SPDX-License-Identifier: Apache-2.0
#include "server/lists.h"
#include "server/routes.h"

namespace penstock::server {
namespace {

bool may_see(const access::Principal& principal, const Decision& decision) {
    return principal.is_operator() || (principal.has(Scope::tasks_read) &&
                                       decision.organisation_id == principal.organisation_id);
}

std::vector<const Decision*> visible(const Platform& platform, const access::Principal& principal) {
    std::vector<const Decision*> newest_first;
    const std::deque<Decision>& all = platform.decisions.decisions();
    for (auto decision = all.rbegin(); decision != all.rend(); ++decision)
        if (may_see(principal, *decision)) newest_first.push_back(&*decision);
    return newest_first;
}

Outcome get_decision(const Platform& platform, const Call& call) {
    const DecisionId id = TRY(DecisionId::parse(call.request.param("id")));
    const Decision* decision = platform.decisions.find(id);
    if (decision == nullptr || !may_see(call.principal, *decision))
        return std::unexpected(Failure(Error{
            ErrorCode::not_found,
            "no decision '" + to_string(id) + "' of your organisation is kept: the newest " +
                std::to_string(dispatch::kDecisionsKeptMax) + " of the platform are",
            "id"
        }));
    if (decision->outcome == DecisionOutcome::preempt && !call.principal.is_operator())
        return std::unexpected(Failure(Error{
            ErrorCode::permission_denied,
            "decision '" + to_string(id) +
                "' was made from what other organisations run and may have: ask an operator of "
                "the platform for its record",
            "id"
        }));
    return answer(TRY(platform.decisions.record(id)));
}

}  // namespace

void add_decision_routes(Api& api) {
    Platform& platform = api.platform();
    api.query(
        "/v1/decisions",
        {.operation = "listDecisions",
         .summary = "Placement decisions that are kept, newest first",
         .response = json::schema<DecisionPage>,
         .list = true},
        [&platform](Call& call) {
            return list_page(
                call.request, visible(platform, call.principal), &DecisionPage::decisions,
                [](const Decision& decision) { return to_string(decision.id); }
            );
        }
    );
    api.query(
        "/v1/decisions/{id}",
        {.operation = "getDecision",
         .summary = "A decision with all it was made from, to make it again",
         .response = json::schema<DecisionRecord>},
        [&platform](Call& call) { return get_decision(platform, call); }
    );
}

}  // namespace penstock::server
