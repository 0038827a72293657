// SPDX-License-Identifier: Apache-2.0
#include "server/dispatcher.h"

#include <algorithm>
#include <set>

#include "base/check.h"
#include "scheduler/fair_queue.h"
#include "server/gangs.h"
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

scheduler::Tenant tenant_of(const Task& task) { return {task.organisation_id, task.project_id}; }

// Items of the queue by their place in `waiting`, with what every tenant holds now.
scheduler::FairQueue fair_queue(
    const Platform& platform, const std::vector<tasks::Waiting>& waiting
) {
    scheduler::Amounts total{};
    for (const Node* node : platform.fleet.nodes()) {
        const scheduler::Amounts amounts = scheduler::amounts_of(node->total);
        for (std::size_t i = 0; i < total.size(); ++i) total.at(i) += amounts.at(i);
    }
    scheduler::FairQueue queue(total);
    for (const Attempt* attempt : platform.board.active_attempts())
        queue.charge(
            tenant_of(*platform.board.find(attempt->task_id)),
            scheduler::amounts_of(attempt->request)
        );
    for (std::size_t i = 0; i < waiting.size(); ++i)
        queue.add(tenant_of(*platform.board.find(waiting[i].task_id)), i);
    return queue;
}

// How many tasks would be taken before this one were there room for all, plus one.
std::int64_t fair_position(const Platform& platform, TaskId id) {
    const std::vector<tasks::Waiting> waiting = platform.board.waiting(platform.now());
    scheduler::FairQueue queue = fair_queue(platform, waiting);
    std::set<TaskId> before;
    while (const std::optional<std::size_t> next = queue.pop()) {
        if (waiting[*next].task_id == id) break;
        const Task& task = *platform.board.find(waiting[*next].task_id);
        before.insert(task.id);
        queue.charge(tenant_of(task), scheduler::amounts_of(scheduler::request_of(task.spec)));
    }
    return static_cast<std::int64_t>(before.size()) + 1;
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
    if (spec.num_nodes > 1)
        return plan_gang(platform_, spec, organisation, items, std::move(avoid));
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
    std::set<TaskId> stuck;
    std::size_t placed = 0;
    const std::vector<tasks::Waiting> queued = platform_.board.waiting(platform_.now());
    scheduler::FairQueue queue = fair_queue(platform_, queued);
    while (const std::optional<std::size_t> next = queue.pop()) {
        const tasks::Waiting& waiting = queued[*next];
        if (stuck.contains(waiting.task_id)) continue;
        if (placed == kPlacementsPerRoundMax) {
            again_ = true;
            return;
        }
        if (!place(waiting)) {
            stuck.insert(waiting.task_id);
            continue;
        }
        ++placed;
        const Task& task = *platform_.board.find(waiting.task_id);
        const TaskItem& item =
            platform_.board.items(task.id)->at(static_cast<std::size_t>(waiting.item));
        for (const Attempt* member :
             platform_.board.members_of(*platform_.board.find_attempt(*item.attempt_id)))
            queue.charge(tenant_of(task), scheduler::amounts_of(member->request));
    }
    const Time now = platform_.now();
    Change change;
    for (const Task* task : platform_.board.list([](const Task& each) {
             return each.state == TaskState::pending && (each.spec.schedule || each.spec.inputs);
         })) {
        const std::optional<ScheduleSpec>& schedule = task->spec.schedule;
        const bool early = schedule && schedule->start_after && now < *schedule->start_after;
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

bool Dispatcher::place(const tasks::Waiting& waiting) {
    const Time now = platform_.now();
    const Task& task = *platform_.board.find(waiting.task_id);
    // FAILOVER tries the same place again first; the default goes elsewhere at once.
    const bool same_place_first =
        task.spec.resources.job_recovery &&
        task.spec.resources.job_recovery->strategy == RecoveryStrategy::failover;
    std::vector<NodeId> avoid;
    if (!same_place_first) avoid = platform_.board.failed_nodes(task.id, waiting.item);
    if (task.spec.num_nodes > 1)
        return place_gang(platform_, billing_, hub_, waiting, std::move(avoid));
    Plan plan = this->plan(task.spec, task.organisation_id, task.items.total, std::move(avoid));
    Change change;
    const auto wait = [&](TaskReason reason, const std::string& detail) {
        const tasks::Wording words = tasks::describe(reason);
        platform_.board.set_waiting(
            task.id, reason, words.en + (detail.empty() ? "" : ": " + detail), words.zh, now,
            change.tasks
        );
        if (!change.empty()) platform_.commit(std::move(change));
        return false;
    };
    if (!plan.feasible) {
        if (possible_ever(plan)) return wait(TaskReason::waiting_for_capacity, plan.explanation);
        platform_.board.reject(
            task.id, TaskReason::no_candidate, plan.explanation, plan.explanation_zh, now,
            change.tasks
        );
        platform_.board.set_plan(task.id, std::move(plan), change.tasks);
        platform_.commit(std::move(change));
        return false;
    }
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
    attempt.held = plan.hold.value_or(Money());
    if (attempt.held > Money())
        if (const Result<void> held =
                billing_.hold(change, attempt.id, task.organisation_id, task.id, attempt.held);
            !held)
            return wait(TaskReason::waiting_for_balance, held.error().message);
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
    return true;
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
    explanation.position = fair_position(platform_, task.id);
    explanation.plan = plan(task.spec, task.organisation_id, task.items.total);
    const tasks::Blocker blocker = tasks::blocker_of(task.reason);
    explanation.blocker = blocker.word;
    explanation.remedy = blocker.remedy;
    explanation.remedy_zh = blocker.remedy_zh;
    return explanation;
}

}  // namespace penstock::server
