// SPDX-License-Identifier: Apache-2.0
#include "tasks/board.h"

#include <algorithm>

#include "base/check.h"
#include "tasks/state.h"

namespace penstock::tasks {
namespace {

std::string subject_of(TaskId id) { return "task/" + to_string(id); }

bool blames_user(const Attempt& attempt) {
    return attempt.fault_domain == FaultDomain::user || !attempt.fault_domain;
}

}  // namespace

Board::Record& Board::at(TaskId id) {
    const auto found = records_.find(id);
    CHECK(found != records_.end(), "callers name tasks that the board gave them");
    return found->second;
}

Result<void> Board::create(Task task, Changes& changes) {
    std::vector<ArrayPoint> points(static_cast<std::size_t>(replicas_of(task.spec)));
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
    task.items = count(record.items);
    changes.tasks.insert(id);
    changes.events.push_back(
        {.at = task.created_at,
         .subject = subject_of(id),
         .type = "task_created",
         .organisation_id = task.organisation_id,
         .actor = task.submitted_by,
         .state = "PENDING"}
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
    open_.insert(id);
    update_task(record, now, actor, "retry asked for", changes);
    return {};
}

Attempt Board::begin_attempt(
    TaskId id, std::int64_t index, Attempt attempt, Time now, Changes& changes
) {
    Record& record = at(id);
    TaskItem& item = record.items.at(static_cast<std::size_t>(index));
    CHECK(!is_active(item.state) && !is_terminal(item.state), "only a waiting item is placed");
    attempt.task_id = id;
    attempt.item = index;
    attempt.fence = ++item.attempts;
    attempt.state = TaskState::reserved;
    attempt.created_at = now;
    if (record.task.spec.checkpoint && record.task.spec.checkpoint->resume == ResumePolicy::auto_)
        attempt.restored_from = item.checkpoint;
    item.state = TaskState::reserved;
    item.reason = TaskReason::none;
    item.retry_at.reset();
    item.attempt_id = attempt.id;
    record.attempts.push_back(attempt.id);
    record.task.placement = attempt.placement;
    record.task.simulated = record.task.simulated || attempt.placement.simulated;
    record.task.held = *add(record.task.held, attempt.held);
    record.task.reason = TaskReason::none;
    record.task.message.clear();
    record.task.message_zh.clear();
    active_.insert(attempt.id);
    changes.attempts.insert(attempt.id);
    changes.items.emplace(id, index);
    changes.events.push_back(
        {.at = now,
         .subject = subject_of(id),
         .type = "attempt_placed",
         .organisation_id = record.task.organisation_id,
         .actor = "platform",
         .state = "RESERVED",
         .message = "item " + std::to_string(index) + ", attempt " + std::to_string(attempt.fence) +
                    " at " + attempt.placement.site + "/" + attempt.placement.node,
         .cost = record.task.cost,
         .attempt_id = attempt.id}
    );
    attempts_[attempt.id] = attempt;
    update_task(record, now, "platform", "", changes);
    return attempt;
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

Result<void> Board::report(const AttemptReport& report, Time now, Changes& changes) {
    const auto found = attempts_.find(report.attempt_id);
    if (found == attempts_.end())
        return fail(
            ErrorCode::not_found,
            "attempt/" + to_string(report.attempt_id) + " is not known here: stop it"
        );
    Attempt& attempt = found->second;
    if (report.fence != attempt.fence || !is_active(attempt.state))
        return fail(
            ErrorCode::conflict,
            "attempt/" + to_string(report.attempt_id) + " has ended or has a newer fence: stop it"
        );
    Record& record = at(attempt.task_id);
    TaskItem& item = record.items.at(static_cast<std::size_t>(attempt.item));
    changes.attempts.insert(attempt.id);
    if (report.checkpoint) {
        attempt.checkpoint = report.checkpoint;
        item.checkpoint = report.checkpoint;
        changes.items.emplace(attempt.task_id, item.index);
        changes.events.push_back(
            {.at = report.at,
             .subject = subject_of(attempt.task_id),
             .type = "checkpoint_stored",
             .organisation_id = record.task.organisation_id,
             .actor = "agent/" + attempt.placement.node,
             .message = "sha256 " + report.checkpoint->sha256 + ", " +
                        std::to_string(report.checkpoint->bytes) + " bytes",
             .cost = record.task.cost,
             .attempt_id = attempt.id}
        );
    }
    if (is_terminal(report.state)) {
        end_attempt(record, attempt, report, now, changes);
        return {};
    }
    if (report.state == TaskState::running && !attempt.running_at) {
        attempt.running_at = report.at;
        if (!record.task.started_at) record.task.started_at = report.at;
    }
    if (report.service_url) attempt.service_url = report.service_url;
    if (report.meter) attempt.agent_meter = report.meter;
    if (attempt.state != report.state) {
        attempt.state = report.state;
        item.state = report.state;
        changes.items.emplace(attempt.task_id, item.index);
        update_task(record, now, "agent/" + attempt.placement.node, report.message, changes);
    }
    return {};
}

void Board::end_attempt(
    Record& record, Attempt& attempt, const AttemptReport& report, Time now, Changes& changes
) {
    TaskItem& item = record.items.at(static_cast<std::size_t>(attempt.item));
    attempt.state = report.state;
    attempt.reason = report.reason;
    attempt.message = report.message;
    attempt.fault_domain = report.fault_domain;
    attempt.exit_code = report.exit_code;
    attempt.ended_at = report.at;
    attempt.service_url.reset();
    if (report.meter) attempt.agent_meter = report.meter;
    active_.erase(attempt.id);
    changes.attempts.insert(attempt.id);
    changes.ended.push_back(attempt.id);
    if (report.exit_code) record.task.exit_code = report.exit_code;
    for (const OutputFile& output : report.outputs) {
        std::erase_if(record.task.outputs, [&](const OutputFile& known) {
            return known.item == item.index && known.path == output.path;
        });
        record.task.outputs.push_back(output);
        record.task.outputs.back().item = item.index;
    }
    settle_item(record, item, attempt, now, changes);
    update_task(record, now, "agent/" + attempt.placement.node, report.message, changes);
}

// What an ended attempt means for its item: done, tried again, or given up.
void Board::settle_item(
    Record& record, TaskItem& item, const Attempt& attempt, Time now, Changes& changes
) {
    changes.items.emplace(record.task.id, item.index);
    item.reason = attempt.reason;
    if (attempt.state == TaskState::succeeded) {
        item.state = TaskState::succeeded;
        return;
    }
    if (record.stopping) {
        item.state = state_after_stop(*record.stopping);
        item.reason = *record.stopping;
        return;
    }
    if (attempt.reason == TaskReason::preempted) return settle_preempted(record, item);
    if (attempt.reason == TaskReason::time_limit) {
        item.state = TaskState::expired;
        record.task.fault_domain = FaultDomain::user;
        return;
    }
    const bool own_fault = blames_user(attempt);
    std::int64_t& tries = own_fault ? item.failures : item.recoveries;
    ++tries;
    if (!own_fault) ++record.task.recoveries;
    const std::int64_t allowed = own_fault ? retries_allowed(record.task.spec) : kRecoveriesMax;
    item.state = tries <= allowed ? TaskState::recovering : TaskState::failed;
    if (item.state == TaskState::recovering) item.retry_at = now + retry_delay(tries);
    if (item.state == TaskState::failed)
        record.task.fault_domain = attempt.fault_domain.value_or(FaultDomain::user);
    record.task.message = attempt.message;
}

void Board::node_lost(NodeId node, Time last_seen, Time now, Changes& changes) {
    for (const Attempt* lost : active_attempts_on(node)) {
        AttemptReport report{
            .attempt_id = lost->id,
            .fence = lost->fence,
            .state = TaskState::failed,
            .reason = TaskReason::node_lost,
            .message = "node " + lost->placement.node + " was lost",
            .fault_domain = FaultDomain::provider,
            .at = std::max(last_seen, lost->created_at)
        };
        Record& record = at(lost->task_id);
        end_attempt(record, attempts_.at(lost->id), report, now, changes);
    }
}

void Board::attempt_vanished(AttemptId id, Time now, Changes& changes) {
    Attempt& attempt = attempts_.at(id);
    const AttemptReport report{
        .attempt_id = id,
        .fence = attempt.fence,
        .state = TaskState::failed,
        .reason = TaskReason::agent_error,
        .message = "node " + attempt.placement.node + " no longer knows the attempt",
        .fault_domain = FaultDomain::provider,
        .at = now
    };
    end_attempt(at(attempt.task_id), attempt, report, now, changes);
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

void Board::set_service(TaskId id, ServiceView service, Changes& changes) {
    at(id).task.service = std::move(service);
    changes.tasks.insert(id);
}

void Board::tick(Time now, Changes& changes) {
    std::vector<TaskId> late;
    std::vector<std::pair<TaskId, std::string>> orphaned;
    for (const TaskId id : open_) {
        const Record& record = records_.at(id);
        if (record.stopping) continue;
        if (record.task.spec.deadline && now >= *record.task.spec.deadline) late.push_back(id);
        if (!record.task.spec.schedule || record.task.started_at) continue;
        for (const Dependency& dependency : record.task.spec.schedule->dependencies)
            if (prospect_of(record, dependency) == Prospect::broken)
                orphaned.emplace_back(id, dependency.task);
    }
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
         .attempt_id = task.items.total == 1 ? record.items.front().attempt_id : std::nullopt}
    );
    changes.events.back().state = name_of(after);
}

}  // namespace penstock::tasks
