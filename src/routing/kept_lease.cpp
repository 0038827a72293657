// SPDX-License-Identifier: Apache-2.0
#include "routing/kept_lease.h"

#include "model/quantity_codec.h"
#include "routing/allowance_authority.h"
#include "routing/class_prices.h"

JSON_INSTANTIATE(penstock::routing::LeaseHolder);
JSON_INSTANTIATE(penstock::routing::KeptLease);

namespace penstock::routing {

void LeaseSpending::add(const CallRecord& call) {
    if (call.attempt_of) return;
    const Result<ExactMoney> charge = charge_of(call.tokens, prices_of(call));
    const auto count = [&](const LeaseId& id) {
        Sum& sum = by_lease_[id];
        const Result<ExactMoney> total =
            charge ? penstock::add(sum.charge, *charge) : std::unexpected(charge.error());
        if (total) sum.charge = *total;
        // What goes on with another call's answer is the same request.
        sum.requests += call.continues ? 0 : 1;
        sum.tokens += total_tokens(call.tokens);
    };
    count(call.lease_id);
    for (const LeaseId& id : call.drawn.value_or(std::vector<LeaseId>())) count(id);
}

void LeaseSpending::take_from(std::vector<KeptLease>& leases) const {
    for (KeptLease& kept : leases) {
        const auto found = by_lease_.find(kept.lease_id);
        if (found == by_lease_.end() || !is_consumed(kept.account.measure)) continue;
        const Sum& sum = found->second;
        switch (kept.account.measure) {
            case Measure::wallet:
            case Measure::budget:
                kept.used += Units::of(sum.charge);
                break;
            case Measure::requests_day:
                kept.used += Units::whole(sum.requests);
                break;
            case Measure::tokens_day:
                kept.used += Units::whole(sum.tokens);
                break;
            case Measure::requests_minute:
            case Measure::tokens_minute:
            case Measure::concurrency:
                break;
        }
    }
}

}  // namespace penstock::routing
