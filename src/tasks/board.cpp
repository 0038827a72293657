// SPDX-License-Identifier: Apache-2.0
#include "tasks/board.h"

#include <algorithm>

#include "base/check.h"
#include "tasks/state.h"

namespace penstock::tasks {
namespace {

std::string subject_of(TaskId id) { return "task/" + to_string(id); }

}  // namespace

Board::Record& Board::at(TaskId id) {
    const auto found = records_.find(id);
    CHECK(found != records_.end(), "callers name tasks that the board gave them");
    return found->second;
}

Result<void> Board::create(Task task, Changes& changes) {
    std::vector<ArrayPoint> points(static_cast<std::size_t>(slots_of(task.spec)));
    std::size_t chunk = 1;
    if (task.spec.array) {
        points = TRY(expand_array(*task.spec.array));
        chunk = static_cast<std::size_t>(task.spec.array->chunk);
    }
    Record record;
    for (std::size_t first = 0; first < points.size(); first += chunk) {
        TaskItem item;
        item.index = static_cast<std::int64_t>(record.items.size());
        for (std::size_t i = first; i < std::min(first + chunk, points.size()); ++i)
            if (!points[i].empty()) item.points.push_back(points[i]);
        changes.items.emplace(task.id, item.index);
        record.items.push_back(std::move(item));
    }
    const TaskId id = task.id;
    rest_from(task, record.items, replicas_of(task.spec));
    task.items = count(record.items);
    task.state = combine(record.items);
    changes.tasks.insert(id);
    changes.events.push_back(
        {.at = task.created_at,
         .subject = subject_of(id),
         .type = "task_created",
         .organisation_id = task.organisation_id,
         .actor = task.submitted_by,
         .state = name_of(task.state)}
    );
    newest_by_name_[{task.project_id, task.name}] = id;
    record.task = std::move(task);
    open_.insert(id);
    records_.emplace(id, std::move(record));
    return {};
}

Result<void> Board::cancel(
    TaskId id, TaskReason reason, std::string_view actor, std::string_view message, Time now,
    Changes& changes
) {
    Record& record = at(id);
    if (is_terminal(record.task.state) || record.stopping) return {};
    record.stopping = reason;
    record.task.reason = reason;
    for (TaskItem& item : record.items) {
        if (is_active(item.state) || is_terminal(item.state)) continue;
        item.state = state_after_stop(reason);
        item.reason = reason;
        changes.items.emplace(id, item.index);
    }
    const bool gently = !record.task.spec.budget ||
                        record.task.spec.budget->on_exceed == OnExceed::stop_after_checkpoint;
    const bool keep = reason == TaskReason::balance_exhausted ||
                      (reason == TaskReason::budget_exceeded && gently);
    stop_attempts(record, reason, keep, changes);
    update_task(record, now, actor, message, changes);
    return {};
}

void Board::stop_attempts(
    Record& record, TaskReason reason, bool checkpoint_first, Changes& changes
) {
    for (const AttemptId attempt_id : record.attempts) {
        const Attempt& attempt = attempts_.at(attempt_id);
        if (!is_active(attempt.state)) continue;
        changes.stops.push_back(
            {attempt.placement.node_id,
             {.attempt_id = attempt_id,
              .fence = attempt.fence,
              .reason = reason,
              .grace = kStopGrace,
              .checkpoint_first = checkpoint_first}}
        );
    }
}

Result<void> Board::retry(TaskId id, std::string_view actor, Time now, Changes& changes) {
    Record& record = at(id);
    if (!is_terminal(record.task.state))
        return fail(
            ErrorCode::conflict,
            "task/" + to_string(id) + " has not ended: cancel it first, or wait"
        );
    if (record.task.state == TaskState::succeeded)
        return fail(
            ErrorCode::conflict, "task/" + to_string(id) + " succeeded: there is nothing to retry"
        );
    record.stopping.reset();
    for (TaskItem& item : record.items) {
        const bool keep_done = !record.task.spec.array || record.task.spec.array->retry.keep_done;
        if (item.state == TaskState::succeeded && keep_done) continue;
        item.state = TaskState::pending;
        item.reason = TaskReason::none;
        item.failures = 0;
        item.recoveries = 0;
        item.retry_at.reset();
        changes.items.emplace(id, item.index);
    }
    record.task.ended_at.reset();
    record.task.exit_code.reset();
    record.task.fault_domain.reset();
    record.task.reason = TaskReason::none;
    rest_from(record.task, record.items, replicas_of(record.task.spec));
    open_.insert(id);
    update_task(record, now, actor, "retry asked for", changes);
    return {};
}

void Board::set_waiting(
    TaskId id, TaskReason reason, std::string message, std::string message_zh, Time now,
    Changes& changes
) {
    Record& record = at(id);
    if (record.task.reason == reason && record.task.message == message) return;
    const bool news = record.task.reason != reason;
    record.task.reason = reason;
    record.task.message = message;
    record.task.message_zh = std::move(message_zh);
    record.task.updated_at = now;
    changes.tasks.insert(id);
    if (news)
        changes.events.push_back(
            {.at = now,
             .subject = subject_of(id),
             .type = "waiting",
             .organisation_id = record.task.organisation_id,
             .actor = "platform",
             .state = "PENDING",
             .message = std::move(message),
             .cost = record.task.cost}
        );
}

void Board::set_plan(TaskId id, Plan plan, Changes& changes) {
    at(id).task.plan = std::move(plan);
    changes.tasks.insert(id);
}

void Board::reject(
    TaskId id, TaskReason reason, std::string_view message, std::string message_zh, Time now,
    Changes& changes
) {
    Record& record = at(id);
    for (TaskItem& item : record.items) {
        if (is_terminal(item.state)) continue;
        item.state = TaskState::failed;
        item.reason = reason;
        changes.items.emplace(id, item.index);
    }
    stop_attempts(record, reason, false, changes);
    record.task.fault_domain = FaultDomain::user;
    record.task.reason = reason;
    record.task.message_zh = std::move(message_zh);
    update_task(record, now, "platform", message, changes);
}

void Board::set_cost(AttemptId id, Money held, Money cost, Changes& changes) {
    Attempt& attempt = attempts_.at(id);
    Record& record = at(attempt.task_id);
    record.task.held = *add(*subtract(record.task.held, attempt.held), held);
    record.task.cost = *add(*subtract(record.task.cost, attempt.cost), cost);
    attempt.held = held;
    attempt.cost = cost;
    changes.attempts.insert(id);
    changes.tasks.insert(attempt.task_id);
}

void Board::set_meter(AttemptId id, Metered platform, Changes& changes) {
    attempts_.at(id).platform_meter = platform;
    changes.attempts.insert(id);
}

void Board::add_event(
    TaskId id, std::string type, std::string actor, std::string message, Time now, Changes& changes
) {
    const Task& task = at(id).task;
    changes.events.push_back(
        {.at = now,
         .subject = subject_of(id),
         .type = std::move(type),
         .organisation_id = task.organisation_id,
         .actor = std::move(actor),
         .message = std::move(message),
         .cost = task.cost}
    );
}

void Board::check_budget_alerts(TaskId id, Money total, Time now, Changes& changes) {
    Record& record = at(id);
    if (!record.task.spec.budget || !record.task.spec.budget->max_total) return;
    std::vector<double> shares = record.task.spec.budget->alert_at;
    std::ranges::sort(shares);
    const auto limit = static_cast<double>(record.task.spec.budget->max_total->micro());
    for (auto next = static_cast<std::size_t>(record.task.budget_alerts); next < shares.size();
         ++next) {
        if (static_cast<double>(total.micro()) < shares[next] * limit) return;
        ++record.task.budget_alerts;
        changes.tasks.insert(id);
        add_event(
            id, "budget_alert", "platform",
            to_string(total) + " CNY of the budget of " +
                to_string(*record.task.spec.budget->max_total) + " CNY are used",
            now, changes
        );
    }
}

void Board::tick(Time now, Changes& changes) {
    std::vector<TaskId> late;
    std::vector<std::pair<TaskId, std::string>> orphaned;
    for (const TaskId id : open_) {
        const Record& record = records_.at(id);
        if (record.stopping) continue;
        if (record.task.spec.deadline && now >= *record.task.spec.deadline) late.push_back(id);
        if (record.task.started_at) continue;
        for (const Dependency& dependency : dependencies_of(record.task.spec))
            if (prospect_of(record, dependency) == Prospect::broken)
                orphaned.emplace_back(id, dependency.task);
    }
    end_unassembled(now, changes);
    for (const TaskId id : late)
        (void)cancel(id, TaskReason::deadline, "platform", "the deadline passed", now, changes);
    for (const auto& [id, name] : orphaned)
        reject(
            id, TaskReason::dependency_failed, "task/" + name + " did not end as required",
            "依赖任务 " + name + " 未按要求结束", now, changes
        );
}

void Board::update_task(
    Record& record, Time now, std::string_view actor, std::string_view message, Changes& changes
) {
    Task& task = record.task;
    const TaskState before = task.state;
    task.items = count(record.items);
    TaskState after = combine(record.items);
    if (record.stopping && task.items.active > 0)
        after = TaskState::canceling;
    else if (record.stopping && !is_terminal(after))
        after = state_after_stop(*record.stopping);
    task.updated_at = now;
    changes.tasks.insert(task.id);
    if (!message.empty()) task.message = std::string(message);
    if (after == TaskState::failed || after == TaskState::expired) {
        const auto worst = std::ranges::find_if(record.items, [&](const TaskItem& item) {
            return item.state == after;
        });
        const TaskReason reason = worst == record.items.end() ? TaskReason::none : worst->reason;
        task.reason = record.items.size() > 1 && reason != TaskReason::dependency_failed
                          ? TaskReason::item_failed
                          : reason;
        const Wording words = describe(task.reason);
        if (task.message.empty()) task.message = words.en;
        task.message_zh = words.zh;
        if (!task.fault_domain) task.fault_domain = FaultDomain::user;
    } else if (after == TaskState::succeeded) {
        task.reason = TaskReason::none;
        task.message.clear();
        task.message_zh.clear();
    }
    if (after == before) return;
    task.state = after;
    if (is_terminal(after)) {
        task.ended_at = now;
        open_.erase(task.id);
    }
    const Wording words = describe(task.reason);
    // What was said of this change; the task may still bear the message of an earlier one.
    std::string said(message);
    if (said.empty() && (after == TaskState::failed || after == TaskState::expired))
        said = task.message;
    changes.events.push_back(
        {.at = now,
         .subject = subject_of(task.id),
         .type = "state_changed",
         .organisation_id = task.organisation_id,
         .actor = std::string(actor),
         .state = "",
         .reason = words.en,
         .message = std::move(said),
         .cost = task.cost,
         .attempt_id = record.items.size() == 1 ? record.items.front().attempt_id : std::nullopt}
    );
    changes.events.back().state = name_of(after);
}

}  // namespace penstock::tasks
