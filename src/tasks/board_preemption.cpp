// SPDX-License-Identifier: Apache-2.0
#include "base/check.h"
#include "tasks/board.h"
#include "tasks/state.h"

// Attempts that give way to other work.
namespace penstock::tasks {

Stop stop_of_notice(const Attempt& attempt) {
    return {
        attempt.placement.node_id,
        {.attempt_id = attempt.id,
         .fence = attempt.fence,
         .reason = attempt.notice->reason.value_or(TaskReason::preempted),
         .grace = kPreemptionGrace,
         .checkpoint_first = true}
    };
}

void Board::give_way(AttemptId id, TaskId to, std::int64_t to_item, Time now, Changes& changes) {
    notify(id, {.for_task = to, .for_item = to_item}, now, changes);
}

void Board::end_round(AttemptId id, TaskId to, Time now, Changes& changes) {
    notify(id, {.for_task = to, .reason = TaskReason::time_shared}, now, changes);
}

void Board::notify(AttemptId id, PreemptionNotice notice, Time now, Changes& changes) {
    Attempt& attempt = attempts_.at(id);
    CHECK(is_active(attempt.state), "only what runs can give way");
    if (attempt.notice) return;
    notice.at = now;
    notice.stop_by = now + kPreemptionCheckpointMax + kPreemptionGrace;
    attempt.notice = notice;
    changes.attempts.insert(id);
    changes.stops.push_back(stop_of_notice(attempt));
    const Record& record = at(attempt.task_id);
    changes.events.push_back(
        {.at = now,
         .subject = "task/" + to_string(attempt.task_id),
         .type = "preemption_notice",
         .organisation_id = record.task.organisation_id,
         .actor = "platform",
         .state = name_of(attempt.state),
         .reason = describe(notice.reason.value_or(TaskReason::preempted)).en,
         .message = "item " + std::to_string(attempt.item) + " is to stop by " +
                    to_rfc3339(attempt.notice->stop_by) +
                    ", after a checkpoint; it comes back to the queue",
         .cost = record.task.cost,
         .attempt_id = id}
    );
}

// Neither a failure of its own nor a recovery from a fault: it waits again, from its checkpoint on.
void Board::settle_preempted(Record& record, TaskItem& item) {
    item.state = TaskState::recovering;
    item.preemptions = item.preemptions.value_or(0) + 1;
    record.task.preemptions = record.task.preemptions.value_or(0) + 1;
    item.retry_at.reset();
}

}  // namespace penstock::tasks
