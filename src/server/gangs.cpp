// SPDX-License-Identifier: Apache-2.0
#include "server/gangs.h"

#include <algorithm>

#include "base/check.h"
#include "dispatch/host.h"
#include "scheduler/scheduler.h"
#include "server/profiles.h"
#include "tasks/state.h"

namespace penstock::server {

using scheduler::Started;

namespace {

bool is_temporary(FilterReason reason) {
    return reason == FilterReason::none || reason == FilterReason::node_unreachable ||
           reason == FilterReason::node_cordoned || reason == FilterReason::node_unhealthy ||
           reason == FilterReason::insufficient_cpu ||
           reason == FilterReason::insufficient_memory ||
           reason == FilterReason::insufficient_accelerator ||
           reason == FilterReason::excluded_after_failure ||
           reason == FilterReason::kept_for_others;
}

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

Placement placement_of(const Platform& platform, const Candidate& chosen) {
    const Site& site = *platform.fleet.find_site(chosen.site_id);
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

// What is free of a node for a member: of accelerators what one request can have, which is less
// than the sum where some are shared.
Capacity free_for(const Platform& platform, const TaskSpec& spec, const Node& node) {
    Capacity free = platform.fleet.free_of(node);
    const dispatch::Host* host = platform.engine.find(node.id);
    if (host == nullptr || !spec.resources.accelerators) return free;
    for (const Accelerator& asked : spec.resources.accelerators->choices)
        free.accelerator_milli[asked.model] = host->usable_milli(asked, false);
    return free;
}

// The hold of a member, with the accelerators that its node would give it.
fleet::CapacityHold hold_of(const Platform& platform, AttemptId attempt, const Candidate& chosen) {
    fleet::CapacityHold hold{chosen.node_id, chosen.request, {}};
    const dispatch::Host* host = platform.engine.find(chosen.node_id);
    if (host == nullptr || !chosen.request.accelerator) return hold;
    dispatch::Host tried = *host;
    hold.devices = tried.hold(attempt, hold).devices;
    // Of an amount that a node states without listing its devices none can be named.
    if (!hold.devices.empty() && std::ranges::max(hold.devices) >= std::ssize(host->node().devices))
        hold.devices.clear();
    return hold;
}

// All members, or nothing (insufficient_funds; or a node has less room than it said): whatever
// `change` has then can be committed.
Result<std::vector<Attempt>> begin(
    Platform& platform, Billing& billing, Change& change, const Task& task, std::int64_t item,
    const Plan& plan
) {
    std::vector<const Candidate*> chosen;
    for (const Candidate& candidate : plan.candidates)
        if (candidate.chosen) chosen.push_back(&candidate);
    const Money money = plan.hold.value_or(Money());
    const Money available = billing.wallet(task.organisation_id).available;
    if (available < money)
        return fail(
            ErrorCode::insufficient_funds,
            "the wallet has " + to_string(available) + " CNY available, " + to_string(money) +
                " are to be held for all nodes: top it up, or set a budget or time_limit"
        );
    const std::vector<Money> holds = split_hold(plan, chosen);
    std::vector<Attempt> members;
    std::vector<fleet::CapacityHold> rooms;
    for (const Candidate* member : chosen) {
        members.push_back({.id = platform.make_id<AttemptId>(), .request = member->request});
        rooms.push_back(hold_of(platform, members.back().id, *member));
        TRY(platform.fleet.check(rooms.back()));
    }
    for (std::size_t rank = 0; rank < chosen.size(); ++rank) {
        Attempt& attempt = members[rank];
        attempt.placement = placement_of(platform, *chosen[rank]);
        attempt.price_percent = scheduler::price_percent(
            *platform.fleet.find_site(attempt.placement.site_id), task.spec
        );
        attempt.held = holds[rank];
        // The decision is that of the whole gang: it is kept once.
        if (rank == 0) attempt.decision = plan.candidates;
        if (attempt.held > Money()) {
            const Result<void> held =
                billing.hold(change, attempt.id, task.organisation_id, task.id, attempt.held);
            CHECK(held.has_value(), "the wallet had enough for all members a moment ago");
        }
        fleet::CapacityHold& hold = rooms[rank];
        if (!hold.devices.empty()) attempt.devices = hold.devices;
        const Result<void> room =
            platform.fleet.hold(attempt.id, hold.node_id, hold.request, std::move(hold.devices));
        CHECK(room.has_value(), "the holds were checked just now, and no two are on one node");
    }
    return platform.board.begin_gang(
        task.id, item, std::move(members), platform.now(), change.tasks
    );
}

Started wait_for_balance(
    Platform& platform, Change change, TaskId task, const std::string& detail
) {
    const tasks::Wording words = tasks::describe(TaskReason::waiting_for_balance);
    platform.board.set_waiting(
        task, TaskReason::waiting_for_balance, words.en + ": " + detail, words.zh, platform.now(),
        change.tasks
    );
    if (!change.empty()) platform.commit(std::move(change));
    return Started::other;
}

Started refuse(Platform& platform, Change change, TaskId task, Plan plan) {
    platform.board.reject(
        task, TaskReason::no_candidate, plan.explanation, plan.explanation_zh, platform.now(),
        change.tasks
    );
    platform.board.set_plan(task, std::move(plan), change.tasks);
    platform.commit(std::move(change));
    return Started::other;
}

}  // namespace

Plan plan_gang(
    const Platform& platform, const TaskSpec& spec, OrganisationId organisation, std::int64_t items,
    std::vector<NodeId> avoid
) {
    scheduler::Input input{
        .spec = spec,
        .spec_sha256 = access::sha256_hex(json::print(spec)),
        .items = items,
        .avoid = std::move(avoid),
        .profile = profile_of(platform, spec, organisation),
        .budget_left = {},
        .now = platform.now()
    };
    if (spec.budget) input.budget_left = spec.budget->max_total;
    for (const Node* node : platform.fleet.nodes())
        input.supplies.push_back(
            {platform.fleet.find_site(node->site_id), node, free_for(platform, spec, *node)}
        );
    return scheduler::plan(input);
}

Started place_gang(
    Platform& platform, Billing& billing, AgentHub& hub, const tasks::Waiting& waiting,
    const GangQueue& queue
) {
    const Task& task = *platform.board.find(waiting.task_id);
    Plan plan = plan_gang(platform, task.spec, task.organisation_id, task.items.total, queue.avoid);
    Change change;
    if (!plan.feasible) {
        if (!may_become_feasible(plan))
            return refuse(platform, std::move(change), task.id, std::move(plan));
        queue.explain(plan.explanation, plan.explanation_zh);
        return Started::no_room;
    }
    if (std::ranges::any_of(plan.candidates, [&](const Candidate& each) {
            return each.chosen && queue.is_kept(each.node_id, each.request);
        }))
        return Started::kept;
    const Result<std::vector<Attempt>> begun =
        begin(platform, billing, change, task, waiting.item, plan);
    if (!begun && begun.error().code == ErrorCode::insufficient_funds)
        return wait_for_balance(platform, std::move(change), task.id, begun.error().message);
    if (!begun) {
        queue.explain(begun.error().message, "节点的空间已被占用");
        return Started::no_room;
    }
    platform.board.set_plan(task.id, std::move(plan), change.tasks);
    for (const Attempt& attempt : *begun)
        change.after.emplace_back([&platform, &hub, id = attempt.id] {
            const Attempt* started = platform.board.find_attempt(id);
            if (platform.board.is_wanted(*started)) hub.send_start(*started);
        });
    platform.commit(std::move(change));
    return Started::yes;
}

bool may_become_feasible(const Plan& plan) {
    // Without any node nothing is known yet: sites may be on their way.
    if (plan.candidates.empty()) return true;
    if (plan.gang) return plan.gang->ever;
    return std::ranges::any_of(plan.candidates, [](const Candidate& candidate) {
        return is_temporary(candidate.filter);
    });
}

}  // namespace penstock::server
