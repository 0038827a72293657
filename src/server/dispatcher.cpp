// SPDX-License-Identifier: Apache-2.0
#include "server/dispatcher.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "base/check.h"
#include "model/time_shared.h"
#include "scheduler/filter.h"
#include "server/explain_queue.h"
#include "server/placing.h"
#include "server/profiles.h"
#include "server/services.h"
#include "tasks/blocker.h"
#include "tasks/state.h"

namespace penstock::server {

using scheduler::Started;

namespace {

constexpr std::array kBounds = {0.00001, 0.00003, 0.0001, 0.0003, 0.001, 0.003,
                                0.01,    0.03,    0.1,    0.3,    1.0};

telemetry::Counter& decisions_counter(Platform& platform, const char* outcome) {
    return platform.metrics().counter(
        "penstock_scheduler_decisions_total", "Placement decisions by what came of them.",
        {{"outcome", outcome}}
    );
}

}  // namespace

Dispatcher::Dispatcher(Platform& platform, Billing& billing, AgentHub& hub)
    : platform_(platform),
      billing_(billing),
      hub_(hub),
      wake_(platform.runtime().executor()),
      sharing_(platform),
      seconds_(platform.metrics().histogram(
          "penstock_scheduler_decision_seconds", "Time a placement decision took.", {}, kBounds
      )),
      dropped_(platform.metrics().counter(
          "penstock_scheduler_decisions_dropped_total",
          "Decisions that the fleet refused when they were to be committed; made anew."
      )),
      placed_(decisions_counter(platform, "place")),
      waited_(decisions_counter(platform, "wait")),
      refused_(decisions_counter(platform, "refuse")) {
    platform_.on_work = [this] {
        again_ = true;
        wake_.notify_all();
    };
    platform_.has_room_for = [this](const Task& task) {
        return plan(task.spec, task.organisation_id, 1, true).feasible;
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
    foretelling_.tick(platform_);
    if (!change.empty() || !change.tasks.stops.empty()) platform_.commit(std::move(change));
}

DecisionQuestion Dispatcher::question_of(
    const TaskSpec& spec, OrganisationId organisation, std::int64_t items, std::vector<NodeId> avoid
) const {
    DecisionQuestion question{
        .spec = dispatch::without_what_is_not_read(spec),
        .spec_sha256 = access::sha256_hex(json::print(spec)),
        .items = items,
        .avoid = std::move(avoid),
        .runs = dispatch::runs_of(profile_of(platform_, spec, organisation)),
        .budget_left = {},
        .now = platform_.now()
    };
    if (spec.budget) question.budget_left = spec.budget->max_total;
    if (question.runs.staging_bytes > 0)
        question.runs.staging_source = staging_source_of(platform_);
    // Of the watts that makers publish, those that matter here.
    std::erase_if(question.runs.watts_per_device, [&](const auto& device) {
        return !spec.resources.accelerators ||
               std::ranges::find(
                   spec.resources.accelerators->choices, device.first, &Accelerator::model
               ) == spec.resources.accelerators->choices.end();
    });
    return question;
}

DecisionQuestion Dispatcher::question_of(const Task& task, bool may_wait, std::vector<NodeId> avoid)
    const {
    DecisionQuestion question = question_of(
        sharing_.narrowed(task), task.organisation_id, task.items.total, std::move(avoid)
    );
    const bool has_turn = sharing_.turn_of(task.id) != nullptr;
    if (has_turn) question.spec_sha256 = task.spec_sha256;  // of what was confirmed
    question.callers = callers_of(task);
    if (!may_wait || has_turn) question.at_once = true;
    return question;
}

std::optional<Plan> Dispatcher::alone(
    const tasks::Waiting& waiting, const scheduler::QueueItem& item, const QueueYard& yard
) {
    if (waits_for_its_hour(waiting, item)) return std::nullopt;
    const Task& task = *platform_.board.find(waiting.task_id);
    Plan plan = decide(question_of(task, may_wait(waiting), to_avoid(waiting, item, yard))).plan;
    return plan.feasible && !plan.later ? std::optional(std::move(plan)) : std::nullopt;
}

DecisionAnswer Dispatcher::decide(const DecisionQuestion& question) const {
    const auto begin = std::chrono::steady_clock::now();
    DecisionAnswer answer = platform_.engine.decide(question);
    seconds_.observe(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count()
    );
    return answer;
}

Plan Dispatcher::plan(
    const TaskSpec& spec, OrganisationId organisation, std::int64_t items, bool at_once
) const {
    DecisionQuestion question = question_of(spec, organisation, items, {});
    if (at_once) question.at_once = true;
    return decide(question).plan;
}

std::optional<std::vector<CallerShare>> Dispatcher::callers_of(const Task& task) const {
    if (!task.spec.service || !platform_.callers_of) return std::nullopt;
    std::vector<CallerShare> callers = platform_.callers_of(task.id);
    return callers.empty() ? std::nullopt : std::optional(std::move(callers));
}

void Dispatcher::round() {
    QueueYard* here = nullptr;
    QueueYard yard(
        platform_, platform_.board.waiting(platform_.now()),
        {.start = [&](const tasks::Waiting& waiting,
                      const scheduler::QueueItem& item) { return place(waiting, item, *here); },
         .ask = [&](const tasks::Waiting& waiting
                ) { return question_of(*platform_.board.find(waiting.task_id), false, {}); },
         .record =
             [&](Change& change, const tasks::Waiting& waiting, DecisionQuestion question,
                 DecisionAnswer answer) {
                 record(
                     change, {waiting, std::move(question), std::move(answer)},
                     DecisionOutcome::preempt, std::nullopt
                 );
             }}
    );
    here = &yard;
    planned_.begin_round();
    yard.restore(promises_);
    scheduler::FairQueue queue = fair_queue(platform_);
    std::vector<scheduler::QueueItem> items = yard.items();
    std::erase_if(items, [&](const scheduler::QueueItem& item) {
        return sharing_.holds_back(*platform_.board.find(yard.waiting(item.work).task_id));
    });
    joint_.look(
        platform_, items, yard, queue, promises_,
        [&](const tasks::Waiting& waiting, const scheduler::QueueItem& item) {
            return alone(waiting, item, yard);
        }
    );
    scheduler::QueueRound round(queue, promises_, std::move(items), yard, kPlacementsPerRoundMax);
    if (round.run(platform_.now())) {
        again_ = true;
        return;
    }
    take_turns(queue, yard);
    say_what_is_early();
}

void Dispatcher::take_turns(scheduler::FairQueue& queue, QueueYard& yard) {
    if (sharing_.plan(promises_)) {
        again_ = true;
        return;
    }
    for (const TaskId id : sharing_.to_start()) {
        const Task& task = *platform_.board.find(id);
        scheduler::QueueItem item = yard.item(work_of(id, 0));
        item.request = sharing_.turn_of(id)->request;
        item.at_most = sharing_.at_most();
        const scheduler::Amounts asked = scheduler::amounts_of(item.request);
        if (auto limit = queue.blocked(item.tenant, asked)) {
            yard.wait(item, {.limit = std::move(limit)});
            sharing_.forgo(id);
            continue;
        }
        switch (place({id, 0}, item, yard)) {
            case Started::yes:
                queue.charge(item.tenant, asked);
                sharing_.started(id);
                break;
            case Started::other:
                sharing_.forgo(id);
                break;
            case Started::no_room:
            case Started::kept:
                sharing_.say_turn(task);
                break;
        }
    }
}

// Work that waits for its time or for other work is not in the queue.
void Dispatcher::say_what_is_early() {
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
    const ResourceRequest request = scheduler::request_of(task.spec);
    for (const scheduler::Reservation& promise : promises_.all())
        for (const scheduler::Place& place : promise.places)
            if (breaks_promise(place.node, request, item, yard)) avoid.push_back(place.node);
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
    const Task& task = *platform_.board.find(waiting.task_id);
    if (waits_for_its_hour(waiting, item)) return Started::other;
    std::vector<NodeId> avoid = to_avoid(waiting, item, yard);
    const std::vector<NodeId> taken = sharing_.kept_from(task.id);
    avoid.insert(avoid.end(), taken.begin(), taken.end());
    for (int made = 0; made < kDecisionsPerItemMax; ++made) {
        Decided decided{
            .waiting = waiting,
            .question = question_of(task, may_wait(waiting), avoid),
            .answer = {}
        };
        const bool narrowed = joint_.narrow(decided.question, item.work, made == 0);
        decided.answer = decide(decided.question);
        const Plan& plan = decided.answer.plan;
        if (!plan.feasible && narrowed) continue;  // asks for what it left after all
        if (!plan.feasible) {
            yard.explain(item.work, plan.explanation, plan.explanation_zh);
            return turn_down(std::move(decided));
        }
        if (plan.later) return put_off(std::move(decided), item);
        decided.rooms = platform_.engine.holds_of(decided.answer);
        if (std::ranges::any_of(decided.rooms, [&](const fleet::CapacityHold& room) {
                return breaks_promise(room.node_id, room.request, item, yard) ||
                       std::ranges::find(taken, room.node_id) != taken.end();
            }))
            return Started::kept;
        if (have_room(decided.rooms)) return commit(std::move(decided));
    }
    yard.explain(item.work, "its place was taken meanwhile", "其位置已被占用");
    return Started::no_room;
}

bool Dispatcher::have_room(const std::vector<fleet::CapacityHold>& rooms) {
    for (const fleet::CapacityHold& each : rooms) {
        const Result<void> room = platform_.fleet.check(each);
        if (room) continue;
        dropped_.add();
        platform_.log().warning(
            "a decision was dropped: the fleet is another than it was made from",
            {{"cause", to_string(room.error())}}
        );
        return false;
    }
    return true;
}

DecisionId Dispatcher::record(
    Change& change, Decided decided, DecisionOutcome outcome, std::optional<AttemptId> attempt
) {
    const Task& task = *platform_.board.find(decided.waiting.task_id);
    Decision decision{
        .id = platform_.make_id<DecisionId>(),
        .at = decided.question.now,
        .organisation_id = task.organisation_id,
        .task_id = task.id,
        .item = decided.waiting.item,
        .outcome = outcome,
        .attempt_id = attempt,
        .answer_sha256 = ""
    };
    const DecisionId id = decision.id;
    platform_.put(
        change, platform_.decisions.add(
                    std::move(decision), std::move(decided.question), std::move(decided.answer)
                )
    );
    return id;
}

scheduler::Started Dispatcher::wait(
    Change& change, const Task& task, TaskReason reason, const std::string& detail
) {
    const tasks::Wording words = tasks::describe(reason);
    platform_.board.set_waiting(
        task.id, reason, words.en + (detail.empty() ? "" : ": " + detail), words.zh,
        platform_.now(), change.tasks
    );
    if (!change.empty()) platform_.commit(std::move(change));
    return Started::other;
}

scheduler::Started Dispatcher::turn_down(Decided decided) {
    const Task& task = *platform_.board.find(decided.waiting.task_id);
    Plan plan = decided.answer.plan;
    Change change;
    if (scheduler::may_become_feasible(plan) || sharing_.turn_of(task.id) != nullptr) {
        waited_.add();
        if (platform_.decisions.differs(task.id, decided.answer))
            record(change, std::move(decided), DecisionOutcome::wait, std::nullopt);
        if (!change.empty()) platform_.commit(std::move(change));
        return Started::no_room;  // the queue says why it waits
    }
    refused_.add();
    record(change, std::move(decided), DecisionOutcome::refuse, std::nullopt);
    platform_.board.reject(
        task.id, TaskReason::no_candidate, plan.explanation, plan.explanation_zh, platform_.now(),
        change.tasks
    );
    platform_.board.set_plan(task.id, std::move(plan), change.tasks);
    platform_.commit(std::move(change));
    return Started::other;
}

scheduler::Started Dispatcher::commit(Decided decided) {
    const tasks::Waiting waiting = decided.waiting;
    const Task& task = *platform_.board.find(waiting.task_id);
    Plan plan = decided.answer.plan;
    std::vector<fleet::CapacityHold> rooms = std::move(decided.rooms);
    std::vector<Attempt> attempts = attempts_of(platform_, decided.answer, rooms);
    Change change;
    if (const Result<void> held = hold_money(billing_, change, task, attempts); !held) {
        waited_.add();
        if (platform_.decisions.differs(task.id, decided.answer))
            record(change, std::move(decided), DecisionOutcome::wait, std::nullopt);
        return wait(change, task, TaskReason::waiting_for_balance, held.error().message);
    }
    placed_.add();
    planned_.forget(work_of(task.id, waiting.item));
    // Before the holds: the state is still the one it was made from.
    attempts.front().decision_id =
        record(change, std::move(decided), DecisionOutcome::place, attempts.front().id);
    for (std::size_t rank = 0; rank < rooms.size(); ++rank) {
        fleet::CapacityHold& room = rooms[rank];
        const Result<void> held = platform_.fleet.hold(
            attempts[rank].id, room.node_id, room.request, std::move(room.devices)
        );
        CHECK(held.has_value(), "the holds were checked just now, and no two are on one node");
    }
    attempts = platform_.board.begin_gang(
        task.id, waiting.item, std::move(attempts), platform_.now(), change.tasks
    );
    platform_.board.set_plan(task.id, std::move(plan), change.tasks);
    for (const Attempt& attempt : attempts)
        change.after.emplace_back([this, id = attempt.id] {
            const Attempt* started = platform_.board.find_attempt(id);
            if (platform_.board.is_wanted(*started)) hub_.send_start(*started);
        });
    platform_.commit(std::move(change));
    return Started::yes;
}

Explanation Dispatcher::explain(const Task& task) const {
    Explanation explanation{
        .task = "task/" + to_string(task.id), .state = tasks::name_of(task.state)
    };
    explanation.decision_id = platform_.decisions.newest_of(task.id);
    if (is_time_shared(task.spec)) explanation.time_sharing = sharing_.view(task);
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
        if (task.reason == TaskReason::no_candidate)
            explain_changes(platform_, task, promises_, explanation);
        return explanation;
    }
    explanation.plan = plan(
        sharing_.narrowed(task), task.organisation_id, task.items.total, task.started_at.has_value()
    );
    const tasks::Blocker blocker = tasks::blocker_of(task.reason);
    explanation.blocker = blocker.word;
    explanation.remedy = blocker.remedy;
    explanation.remedy_zh = blocker.remedy_zh;
    if (!sharing_.holds_back(task))  // what takes turns has no place in the queue
        explain_queue(platform_, task, promises_, foretelling_.record(), explanation);
    return explanation;
}

}  // namespace penstock::server
