// SPDX-License-Identifier: Apache-2.0
#include "server/placing.h"

#include "base/check.h"
#include "scheduler/scheduler.h"

namespace penstock::server {
namespace {

// Parts of the plan's hold by what each node costs; what rounding leaves is the head's.
std::vector<Money> split_hold(const Plan& plan, const std::vector<const Candidate*>& members) {
    std::vector<__int128> weights;
    __int128 all = 0;
    for (const Candidate* member : members) {
        const Result<Money> hour = scheduler::price_of_span(member->price_per_hour, 1h);
        weights.push_back(hour ? hour->micro() : 0);
        all += weights.back();
    }
    const Money hold = plan.hold.value_or(Money());
    std::vector<Money> parts;
    Money given;
    for (const __int128 weight : weights) {
        const __int128 share = all == 0 ? 0 : __int128{hold.micro()} * weight / all;
        parts.push_back(Money::micro(static_cast<std::int64_t>(share)));
        given = *add(given, parts.back());
    }
    parts.front() = *add(parts.front(), *subtract(hold, given));
    return parts;
}

Placement placement_of(const Site& site, const Candidate& chosen) {
    return {
        .site_id = site.id,
        .site = site.spec.name,
        .provider = site.provider,
        .region = site.spec.region,
        .c_url = site.c_url,
        .node_id = chosen.node_id,
        .node = chosen.node,
        .simulated = chosen.simulated
    };
}

}  // namespace

std::vector<Attempt> attempts_of(
    Platform& platform, const DecisionAnswer& answer, const std::vector<fleet::CapacityHold>& rooms
) {
    std::vector<const Candidate*> chosen;
    for (const Candidate& candidate : answer.plan.candidates)
        if (candidate.chosen) chosen.push_back(&candidate);
    CHECK(chosen.size() == rooms.size(), "each chosen candidate takes room");
    const std::vector<Money> holds = split_hold(answer.plan, chosen);
    std::vector<Attempt> attempts;
    for (std::size_t rank = 0; rank < chosen.size(); ++rank) {
        const Site& site = *platform.fleet.find_site(chosen[rank]->site_id);
        attempts.push_back(
            {.id = platform.make_id<AttemptId>(),
             .placement = placement_of(site, *chosen[rank]),
             .request = chosen[rank]->request,
             .held = holds[rank]}
        );
        if (!rooms[rank].devices.empty()) attempts.back().devices = rooms[rank].devices;
        attempts.back().price_percent = chosen[rank]->price_percent;
    }
    // The decision is that of all: it is kept once.
    attempts.front().decision = answer.plan.candidates;
    return attempts;
}

Result<void> hold_money(
    Billing& billing, Change& change, const Task& task, const std::vector<Attempt>& attempts
) {
    if (attempts.size() > 1) {
        Money all;
        for (const Attempt& attempt : attempts) all = *add(all, attempt.held);
        const Money available = billing.wallet(task.organisation_id).available;
        if (available < all)
            return fail(
                ErrorCode::insufficient_funds,
                "the wallet has " + to_string(available) + " CNY available, " + to_string(all) +
                    " are to be held for all nodes: top it up, or set a budget or time_limit"
            );
    }
    for (const Attempt& attempt : attempts) {
        if (attempt.held <= Money()) continue;
        Result<void> held =
            billing.hold(change, attempt.id, task.organisation_id, task.id, attempt.held);
        if (held) continue;
        CHECK(attempts.size() == 1, "the wallet had enough for all members a moment ago");
        return held;
    }
    return {};
}

}  // namespace penstock::server
