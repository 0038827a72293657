// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>
#include <tuple>

#include "base/check.h"
#include "tasks/board.h"
#include "tasks/state.h"

// How a service gets more and fewer replicas. Items are never removed: attempts name them by index.
// One that is not needed rests, and is the first to be taken again.
namespace penstock::tasks {
namespace {

using Stage = ReplicaStanding::Stage;

constexpr std::string_view kRestsEn = "nobody calls: nothing runs, and the first call starts it";
constexpr std::string_view kRestsZh = "无人调用：未运行任何副本，首次调用将启动";

void say_that_all_rest(Task& task, const std::vector<TaskItem>& items) {
    if (!std::ranges::all_of(items, rests)) return;
    task.reason = TaskReason::not_needed;
    task.message = kRestsEn;
    task.message_zh = kRestsZh;
}

void lay_down(TaskItem& item) {
    item.state = TaskState::paused;
    item.reason = TaskReason::not_needed;
    item.failures = 0;
    item.recoveries = 0;
    item.retry_at.reset();
    item.leaves_at.reset();
}

bool may_be_recalled(const TaskItem& item) {
    return item.leaves_at && is_active(item.state) && item.reason != TaskReason::not_needed;
}

// Unknown is as far away as can be.
double distance_of(const ReplicaStanding& replica) {
    return replica.latency_ms.value_or(std::numeric_limits<double>::max());
}

}  // namespace

bool before_in_leaving(const ReplicaStanding& left, const ReplicaStanding& right) {
    if (left.stage != right.stage) return left.stage < right.stage;
    if (left.price_per_hour != right.price_per_hour)
        return left.price_per_hour > right.price_per_hour;
    return std::tuple(distance_of(left), left.since, left.item) >
           std::tuple(distance_of(right), right.since, right.item);
}

void Board::set_service(TaskId id, ServiceView service, Changes& changes) {
    at(id).task.service = std::move(service);
    changes.tasks.insert(id);
}

std::int64_t Board::replicas(TaskId id) const {
    return std::ranges::count_if(*items(id), [](const TaskItem& item) {
        return !rests(item) && !item.leaves_at;
    });
}

bool Board::is_leaving(const Attempt& attempt) const {
    const TaskItem& item = items(attempt.task_id)->at(static_cast<std::size_t>(attempt.item));
    return item.leaves_at && item.attempt_id == attempt.id;
}

void Board::rest(Record& record, TaskItem& item) {
    lay_down(item);
    say_that_all_rest(record.task, record.items);
}

void Board::rest_from(Task& task, std::vector<TaskItem>& items, std::int64_t first) {
    if (!task.spec.service) return;
    for (TaskItem& item : items) {
        item.leaves_at.reset();
        if (item.index >= first) lay_down(item);
    }
    say_that_all_rest(task, items);
}

void Board::set_replicas(TaskId id, const ReplicaChange& change, Time now, Changes& changes) {
    Record& record = at(id);
    CHECK(record.task.spec.service.has_value(), "only a service has replicas");
    CHECK(change.replicas >= 0 && change.replicas <= kReplicasMax, "the policy bounds them");
    if (is_terminal(record.task.state) || record.stopping) return;
    const std::int64_t before = replicas(id);
    if (change.replicas == before) return;
    if (before == 0) {
        record.task.reason = TaskReason::none;
        record.task.message.clear();
        record.task.message_zh.clear();
    }
    if (change.replicas > before)
        grow(record, change.replicas - before, changes);
    else
        shrink(record, before - change.replicas, change.drain, now, changes);
    if (record.task.service)
        record.task.service->scaled = ScaleNote{
            .at = now,
            .from = before,
            .to = change.replicas,
            .reason = change.reason,
            .message = change.message,
            .message_zh = change.message_zh
        };
    changes.events.push_back(
        {.at = now,
         .subject = "task/" + to_string(id),
         .type = "replicas_changed",
         .organisation_id = record.task.organisation_id,
         .actor = "platform",
         .state = name_of(record.task.state),
         .reason = change.reason,
         .message = change.message,
         .cost = record.task.cost}
    );
    update_task(record, now, "platform", "", changes);
}

void Board::grow(Record& record, std::int64_t by, Changes& changes) {
    const auto take = [&](TaskItem& item) {
        changes.items.emplace(record.task.id, item.index);
        --by;
    };
    for (TaskItem& item : record.items) {
        if (by == 0 || !may_be_recalled(item)) continue;
        item.leaves_at.reset();
        take(item);
    }
    for (TaskItem& item : record.items) {
        if (by == 0 || !rests(item)) continue;
        item.state = TaskState::pending;
        item.reason = TaskReason::none;
        take(item);
    }
    while (by > 0) {
        record.items.push_back({.index = std::ssize(record.items)});
        take(record.items.back());
    }
}

void Board::shrink(Record& record, std::int64_t by, Duration drain, Time now, Changes& changes) {
    std::vector<ReplicaStanding> standing;
    for (const TaskItem& item : record.items)
        if (!rests(item) && !item.leaves_at) standing.push_back(standing_of(item));
    std::ranges::sort(standing, before_in_leaving);
    standing.resize(static_cast<std::size_t>(by));
    for (const ReplicaStanding& replica : standing) {
        TaskItem& item = record.items.at(static_cast<std::size_t>(replica.item));
        changes.items.emplace(record.task.id, item.index);
        if (is_active(item.state))
            item.leaves_at = replica.stage == Stage::ready ? now + drain : now;
        else
            rest(record, item);
    }
}

ReplicaStanding Board::standing_of(const TaskItem& item) const {
    ReplicaStanding replica{.item = item.index};
    if (is_terminal(item.state)) replica.stage = Stage::ended;
    if (!is_active(item.state)) return replica;
    const Attempt& attempt = attempts_.at(*item.attempt_id);
    const bool ready = attempt.state == TaskState::running && attempt.service_url;
    replica.stage = ready ? Stage::ready : Stage::starting;
    replica.since = attempt.created_at;
    const auto chosen = std::ranges::find_if(attempt.decision, &Candidate::chosen);
    if (chosen == attempt.decision.end()) return replica;
    // A price too fine to be rated was refused when the site was created.
    if (const auto price = multiply(1, QuantityScale::one, chosen->price_per_hour))
        replica.price_per_hour = *price;
    replica.latency_ms = chosen->terms.latency_ms;
    return replica;
}

void Board::stop_leaving(
    Time now, const std::function<bool(const Attempt&)>& is_drained, Changes& changes
) {
    for (const TaskId id : open_) {
        Record& record = at(id);
        if (!record.task.spec.service || record.stopping) continue;
        for (TaskItem& item : record.items) {
            if (!item.leaves_at || !is_active(item.state)) continue;
            const Attempt& attempt = attempts_.at(*item.attempt_id);
            const bool due = now >= *item.leaves_at;
            if (!due && (item.reason == TaskReason::not_needed || !is_drained(attempt))) continue;
            item.reason = TaskReason::not_needed;
            item.leaves_at = now + kStopAgainAfter;
            changes.items.emplace(id, item.index);
            changes.stops.push_back(
                {attempt.placement.node_id,
                 {.attempt_id = attempt.id,
                  .fence = attempt.fence,
                  .reason = TaskReason::not_needed,
                  .grace = kStopGrace}}
            );
        }
    }
}

}  // namespace penstock::tasks
