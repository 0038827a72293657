// SPDX-License-Identifier: Apache-2.0
#include "server/dispatcher.h"

#include <algorithm>
#include <set>

#include "base/check.h"
#include "server/explain_queue.h"
#include "server/profiles.h"
#include "server/services.h"
#include "tasks/blocker.h"
#include "tasks/state.h"

namespace penstock::server {
namespace {

// What could change by itself: another task ends, a node comes back.
bool is_temporary(FilterReason reason) {
    return reason == FilterReason::none || reason == FilterReason::node_unreachable ||
           reason == FilterReason::node_cordoned || reason == FilterReason::node_unhealthy ||
           reason == FilterReason::insufficient_cpu ||
           reason == FilterReason::insufficient_memory ||
           reason == FilterReason::insufficient_accelerator ||
           reason == FilterReason::excluded_after_failure;
}

}  // namespace

Dispatcher::Dispatcher(Platform& platform, Billing& billing, AgentHub& hub)
    : platform_(platform), billing_(billing), hub_(hub), wake_(platform.runtime().executor()) {
    platform_.on_work = [this] {
        again_ = true;
        wake_.notify_all();
    };
    platform_.on_attempt_ended = [this](Change& change, AttemptId id) {
        billing_.settle_attempt(change, id);
        // However a replica ended, the gateway is no longer to send it calls.
        const TaskId task = platform_.board.find_attempt(id)->task_id;
        if (platform_.board.find(task)->spec.service) refresh_service(platform_, change, task);
    };
}

io::Task<void> Dispatcher::run() {
    auto next_tick = io::Deadline::after(kTickEvery);
    while (!platform_.stopping()) {
        if (again_) {
            again_ = false;
            round();
        }
        if (next_tick.passed()) {
            tick();
            again_ = true;
            next_tick = io::Deadline::after(kTickEvery);
        }
        if (!again_)
            co_await wake_.wait(next_tick);
        else
            co_await io::yield_now();
    }
}

void Dispatcher::step() {
    tick();
    do {
        again_ = false;
        round();
    } while (again_);
}

void Dispatcher::tick() {
    Change change;
    hub_.tick(change);
    platform_.board.tick(platform_.now(), change.tasks);
    billing_.watch_running(change);
    billing_.expire(change);
    platform_.forget_old_answers(change);
    if (!change.empty() || !change.tasks.stops.empty()) platform_.commit(std::move(change));
}

Plan Dispatcher::plan(
    const TaskSpec& spec, OrganisationId organisation, std::int64_t items, std::vector<NodeId> avoid
) const {
    scheduler::Input input{
        .spec = spec,
        .spec_sha256 = access::sha256_hex(json::print(spec)),
        .items = items,
        .avoid = std::move(avoid),
        .profile = profile_of(platform_, spec, organisation),
        .budget_left = {},
        .now = platform_.now()
    };
    if (spec.budget) input.budget_left = spec.budget->max_total;
    for (const Node* node : platform_.fleet.nodes())
        input.supplies.push_back(
            {platform_.fleet.find_site(node->site_id), node, platform_.fleet.free_of(*node)}
        );
    return scheduler::plan(input);
}

bool Dispatcher::possible_ever(const Plan& plan) const {
    // Without any node nothing is known yet: sites may be on their way.
    if (plan.candidates.empty()) return true;
    return std::ranges::any_of(plan.candidates, [](const Candidate& candidate) {
        return is_temporary(candidate.filter);
    });
}

void Dispatcher::round() {
    QueueYard* here = nullptr;
    QueueYard yard(
        platform_, platform_.board.waiting(platform_.now()),
        [&](const tasks::Waiting& waiting, const scheduler::QueueItem& item) {
            return place(waiting, item, *here);
        }
    );
    here = &yard;
    yard.restore(promises_);
    scheduler::FairQueue queue = fair_queue(platform_);
    scheduler::QueueRound round(queue, promises_, yard.items(), yard, kPlacementsPerRoundMax);
    if (round.run(platform_.now())) {
        again_ = true;
        return;
    }
    say_what_is_early();
}

// Work that waits for its time or for other work is not in the queue.
void Dispatcher::say_what_is_early() {
    const Time now = platform_.now();
    Change change;
    for (const Task* task : platform_.board.list([](const Task& each) {
             return each.state == TaskState::pending && each.spec.schedule;
         })) {
        const bool early =
            task->spec.schedule->start_after && now < *task->spec.schedule->start_after;
        const bool blocked =
            std::ranges::any_of(platform_.board.waiting(now), [&](const tasks::Waiting& w) {
                return w.task_id == task->id;
            });
        if (blocked) continue;
        const TaskReason reason =
            early ? TaskReason::waiting_for_start_time : TaskReason::waiting_for_dependency;
        const tasks::Wording words = tasks::describe(reason);
        platform_.board.set_waiting(task->id, reason, words.en, words.zh, now, change.tasks);
    }
    if (!change.empty()) platform_.commit(std::move(change));
}

// Nodes on which it would break a promise come last, as those do on which it failed.
std::vector<NodeId> Dispatcher::to_avoid(
    const tasks::Waiting& waiting, const scheduler::QueueItem& item, const QueueYard& yard
) const {
    const Task& task = *platform_.board.find(waiting.task_id);
    // FAILOVER tries the same place again first; the default goes elsewhere at once.
    const bool same_place_first =
        task.spec.resources.job_recovery &&
        task.spec.resources.job_recovery->strategy == RecoveryStrategy::failover;
    std::vector<NodeId> avoid;
    if (!same_place_first) avoid = platform_.board.failed_nodes(task.id, waiting.item);
    for (const scheduler::Reservation& promise : promises_.all())
        if (breaks_promise(promise.place.node, item.request, item, yard))
            avoid.push_back(promise.place.node);
    return avoid;
}

bool Dispatcher::breaks_promise(
    NodeId node, const ResourceRequest& request, const scheduler::QueueItem& item,
    const QueueYard& yard
) const {
    return promises_.disturbed_by(item.work, {node, request}, item.at_most, platform_.now(), yard);
}

scheduler::Started Dispatcher::place(
    const tasks::Waiting& waiting, const scheduler::QueueItem& item, QueueYard& yard
) {
    using scheduler::Started;
    const Time now = platform_.now();
    const Task& task = *platform_.board.find(waiting.task_id);
    Plan plan = this->plan(
        task.spec, task.organisation_id, task.items.total, to_avoid(waiting, item, yard)
    );
    Change change;
    if (!plan.feasible && possible_ever(plan)) {
        yard.explain(item.work, plan.explanation, plan.explanation_zh);
        return Started::no_room;
    }
    if (!plan.feasible) {
        platform_.board.reject(
            task.id, TaskReason::no_candidate, plan.explanation, plan.explanation_zh, now,
            change.tasks
        );
        platform_.board.set_plan(task.id, std::move(plan), change.tasks);
        platform_.commit(std::move(change));
        return Started::other;
    }
    const Candidate& best = *std::ranges::find_if(plan.candidates, &Candidate::chosen);
    if (breaks_promise(best.node_id, best.request, item, yard)) return Started::kept;
    const Candidate& chosen = *std::ranges::find_if(plan.candidates, &Candidate::chosen);
    const Site& site = *platform_.fleet.find_site(chosen.site_id);
    Attempt attempt{
        .id = platform_.make_id<AttemptId>(), .request = chosen.request, .decision = plan.candidates
    };
    attempt.placement = {
        .site_id = site.id,
        .site = site.spec.name,
        .provider = site.provider,
        .region = site.spec.region,
        .c_url = site.c_url,
        .node_id = chosen.node_id,
        .node = chosen.node,
        .simulated = chosen.simulated
    };
    attempt.price_percent = scheduler::price_percent(site, task.spec);
    attempt.held = plan.hold.value_or(Money());
    if (attempt.held > Money())
        if (const Result<void> held =
                billing_.hold(change, attempt.id, task.organisation_id, task.id, attempt.held);
            !held)
            return wait_for_balance(task, held.error().message);
    const Result<void> room = platform_.fleet.hold(attempt.id, chosen.node_id, chosen.request);
    CHECK(room.has_value(), "the plan was made from the same state");
    attempt =
        platform_.board.begin_attempt(task.id, waiting.item, std::move(attempt), now, change.tasks);
    platform_.board.set_plan(task.id, std::move(plan), change.tasks);
    change.after.emplace_back([this, id = attempt.id] {
        const Attempt* started = platform_.board.find_attempt(id);
        if (tasks::is_active(started->state)) hub_.send_start(*started);
    });
    platform_.commit(std::move(change));
    return Started::yes;
}

scheduler::Started Dispatcher::wait_for_balance(const Task& task, const std::string& detail) {
    const tasks::Wording words = tasks::describe(TaskReason::waiting_for_balance);
    Change change;
    platform_.board.set_waiting(
        task.id, TaskReason::waiting_for_balance, words.en + ": " + detail, words.zh,
        platform_.now(), change.tasks
    );
    if (!change.empty()) platform_.commit(std::move(change));
    return scheduler::Started::other;
}

Explanation Dispatcher::explain(const Task& task) const {
    Explanation explanation{
        .task = "task/" + to_string(task.id), .state = tasks::name_of(task.state)
    };
    explanation.message = task.message;
    explanation.message_zh = task.message_zh;
    if (is_terminal(task.state) || tasks::is_active(task.state)) {
        if (task.plan) explanation.plan = *task.plan;
        if (explanation.message.empty()) explanation.message = explanation.plan.explanation;
        if (explanation.message_zh.empty())
            explanation.message_zh = explanation.plan.explanation_zh;
        const tasks::Blocker ended = tasks::blocker_of(task.reason);
        explanation.blocker = ended.word;
        explanation.remedy = ended.remedy;
        explanation.remedy_zh = ended.remedy_zh;
        return explanation;
    }
    explanation.plan = plan(task.spec, task.organisation_id, task.items.total);
    const tasks::Blocker blocker = tasks::blocker_of(task.reason);
    explanation.blocker = blocker.word;
    explanation.remedy = blocker.remedy;
    explanation.remedy_zh = blocker.remedy_zh;
    explain_queue(platform_, task, promises_, explanation);
    return explanation;
}

}  // namespace penstock::server
