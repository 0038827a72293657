// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "tasks/board.h"
#include "tasks/state.h"

// What the board answers, and how it is filled from the store. Nothing here changes a task.
namespace penstock::tasks {

const Task* Board::find(TaskId id) const {
    const auto found = records_.find(id);
    return found == records_.end() ? nullptr : &found->second.task;
}

const Task* Board::resolve(ProjectId project, std::string_view reference) const {
    if (reference.starts_with("task/")) reference.remove_prefix(5);
    if (const Result<TaskId> id = TaskId::parse(reference)) {
        const Task* task = find(*id);
        return task != nullptr && task->project_id == project ? task : nullptr;
    }
    const auto found = newest_by_name_.find({project, std::string(reference)});
    return found == newest_by_name_.end() ? nullptr : find(found->second);
}

const std::vector<TaskItem>* Board::items(TaskId id) const {
    const auto found = records_.find(id);
    return found == records_.end() ? nullptr : &found->second.items;
}

const Attempt* Board::find_attempt(AttemptId id) const {
    const auto found = attempts_.find(id);
    return found == attempts_.end() ? nullptr : &found->second;
}

std::vector<const Attempt*> Board::attempts_of(TaskId id) const {
    std::vector<const Attempt*> all;
    if (const auto found = records_.find(id); found != records_.end())
        for (const AttemptId attempt : found->second.attempts)
            all.push_back(&attempts_.at(attempt));
    return all;
}

std::vector<const Attempt*> Board::members_of(const Attempt& attempt) const {
    if (!attempt.gang) return {&attempts_.at(attempt.id)};
    std::vector<const Attempt*> members;
    const std::vector<AttemptId>& all = records_.at(attempt.task_id).attempts;
    const std::int64_t count = attempt.gang->members;
    // Those of the newest try stand last.
    for (auto id = all.rbegin(); id != all.rend() && std::ssize(members) < count; ++id) {
        const Attempt& each = attempts_.at(*id);
        if (each.item == attempt.item && each.fence == attempt.fence) members.push_back(&each);
    }
    std::ranges::sort(members, {}, [](const Attempt* each) { return each->gang->rank; });
    return members;
}

std::vector<const Attempt*> Board::active_attempts() const {
    std::vector<const Attempt*> all;
    all.reserve(active_.size());
    for (const auto& [id, active] : active_) all.push_back(active.attempt);
    return all;
}

std::vector<Running> Board::running() const {
    std::vector<Running> all;
    all.reserve(active_.size());
    for (const auto& [id, active] : active_) {
        const auto item = static_cast<std::size_t>(active.attempt->item);
        all.push_back({active.attempt, &active.record->task, &active.record->items.at(item)});
    }
    return all;
}

std::vector<const Attempt*> Board::active_attempts_on(NodeId node) const {
    std::vector<const Attempt*> all = active_attempts();
    std::erase_if(all, [&](const Attempt* attempt) { return attempt->placement.node_id != node; });
    return all;
}

std::vector<const Task*> Board::list(const std::function<bool(const Task&)>& accept) const {
    std::vector<const Task*> all;
    for (auto record = records_.rbegin(); record != records_.rend(); ++record)
        if (accept(record->second.task)) all.push_back(&record->second.task);
    return all;
}

bool Board::may_start(const Record& record, Time now) const {
    if (record.stopping || is_terminal(record.task.state)) return false;
    if (record.task.started_at) return true;
    const TaskSpec& spec = record.task.spec;
    if (spec.schedule && spec.schedule->start_after && now < *spec.schedule->start_after)
        return false;
    return std::ranges::all_of(dependencies_of(spec), [&](const Dependency& dependency) {
        return prospect_of(record, dependency) == Prospect::met;
    });
}

Board::Prospect Board::prospect_of(const Record& record, const Dependency& dependency) const {
    const Task* other = resolve(record.task.project_id, dependency.task);
    if (other == nullptr) return Prospect::broken;
    if (!is_terminal(other->state)) return Prospect::open;
    const bool succeeded = other->state == TaskState::succeeded;
    switch (dependency.on) {
        case DependencyCondition::success:
            return succeeded ? Prospect::met : Prospect::broken;
        case DependencyCondition::failure:
            return succeeded ? Prospect::broken : Prospect::met;
        case DependencyCondition::any:
            return Prospect::met;
    }
    return Prospect::broken;
}

std::vector<Waiting> Board::waiting(Time now) const {
    std::vector<const Record*> ready;
    for (const TaskId id : open_) {
        const Record& record = records_.at(id);
        if (record.task.items.waiting > 0 && may_start(record, now)) ready.push_back(&record);
    }
    std::ranges::sort(ready, [](const Record* left, const Record* right) {
        const std::int64_t a = left->task.spec.priority, b = right->task.spec.priority;
        return a != b ? a > b : left->task.id < right->task.id;
    });
    std::vector<Waiting> all;
    for (const Record* record : ready) {
        std::int64_t room = record->task.items.total;
        if (record->task.spec.array && record->task.spec.array->max_parallel > 0)
            room = record->task.spec.array->max_parallel - record->task.items.active;
        for (const TaskItem& item : record->items) {
            if (room <= 0) break;
            if (item.state != TaskState::pending && item.state != TaskState::recovering) continue;
            if (item.retry_at && now < *item.retry_at) continue;
            all.push_back({record->task.id, item.index});
            --room;
        }
    }
    return all;
}

std::vector<NodeId> Board::failed_nodes(TaskId id, std::int64_t item) const {
    std::vector<NodeId> nodes;
    for (const Attempt* attempt : attempts_of(id))
        if (attempt->item == item && attempt->state == TaskState::failed &&
            attempt->fault_domain == FaultDomain::provider &&
            attempt->reason != TaskReason::member_failed)
            nodes.push_back(attempt->placement.node_id);
    return nodes;
}

std::int64_t Board::position(TaskId id, Time now) const {
    std::int64_t position = 1;
    const TaskId* last = nullptr;
    const std::vector<Waiting> queue = waiting(now);
    for (const Waiting& waiting : queue) {
        if (waiting.task_id == id) return position;
        if (last == nullptr || *last != waiting.task_id) ++position;
        last = &waiting.task_id;
    }
    return position;
}

void Board::restore_task(Task task) {
    const TaskId id = task.id;
    if (!is_terminal(task.state)) open_.insert(id);
    TaskId& newest = newest_by_name_[{task.project_id, task.name}];
    newest = std::max(newest, id);
    Record& record = records_[id];
    if (task.state == TaskState::canceling) record.stopping = task.reason;
    record.task = std::move(task);
}

void Board::restore_item(TaskId id, TaskItem item) {
    std::vector<TaskItem>& items = records_[id].items;
    const auto index = static_cast<std::size_t>(item.index);
    if (items.size() <= index) items.resize(index + 1);
    items[index] = std::move(item);
}

void Board::restore_attempt(Attempt attempt) {
    Record& record = records_[attempt.task_id];
    record.attempts.push_back(attempt.id);
    std::ranges::sort(record.attempts);
    Attempt& kept = attempts_[attempt.id] = std::move(attempt);
    if (is_active(kept.state)) active_[kept.id] = {&kept, &record};
}

}  // namespace penstock::tasks
