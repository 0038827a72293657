// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/check.h"
#include "tasks/board.h"
#include "tasks/state.h"

// The life of attempts: placed, reported on, ended, and what that means for their item.
namespace penstock::tasks {
namespace {

std::string subject_of(TaskId id) { return "task/" + to_string(id); }

bool blames_user(const Attempt& attempt) {
    return attempt.fault_domain == FaultDomain::user || !attempt.fault_domain;
}

// "centre/n1, centre/n2 and 6 more".
std::string places_of(const std::vector<Attempt>& members) {
    constexpr std::size_t kNamedMax = 8;
    std::string all;
    for (std::size_t i = 0; i < std::min(members.size(), kNamedMax); ++i)
        all += (i == 0 ? "" : ", ") + members[i].placement.site + "/" + members[i].placement.node;
    if (members.size() > kNamedMax)
        all += " and " + std::to_string(members.size() - kNamedMax) + " more";
    return all;
}

}  // namespace

Attempt Board::begin_attempt(
    TaskId id, std::int64_t index, Attempt attempt, Time now, Changes& changes
) {
    std::vector<Attempt> one;
    one.push_back(std::move(attempt));
    return begin_gang(id, index, std::move(one), now, changes).front();
}

std::vector<Attempt> Board::begin_gang(
    TaskId id, std::int64_t index, std::vector<Attempt> members, Time now, Changes& changes
) {
    Record& record = at(id);
    Task& task = record.task;
    TaskItem& item = record.items.at(static_cast<std::size_t>(index));
    CHECK(!is_active(item.state) && !is_terminal(item.state), "only a waiting item is placed");
    CHECK(!members.empty(), "a plan that is feasible chose at least one node");
    ++item.attempts;
    const bool resumes =
        task.spec.checkpoint && task.spec.checkpoint->resume == ResumePolicy::auto_;
    for (std::size_t rank = 0; rank < members.size(); ++rank) {
        Attempt& attempt = members[rank];
        attempt.task_id = id;
        attempt.item = index;
        attempt.fence = item.attempts;
        attempt.state = TaskState::reserved;
        attempt.created_at = now;
        if (resumes) attempt.restored_from = item.checkpoint;
        if (members.size() > 1)
            attempt.gang = GangSeat{
                .rank = static_cast<std::int64_t>(rank),
                .members = static_cast<std::int64_t>(members.size())
            };
        record.attempts.push_back(attempt.id);
        task.simulated = task.simulated || attempt.placement.simulated;
        task.held = *add(task.held, attempt.held);
        changes.attempts.insert(attempt.id);
        active_[attempt.id] = {&(attempts_[attempt.id] = attempt), &record};
    }
    item.state = TaskState::reserved;
    item.reason = TaskReason::none;
    item.retry_at.reset();
    item.attempt_id = members.front().id;
    task.placement = members.front().placement;
    task.reason = TaskReason::none;
    task.message.clear();
    task.message_zh.clear();
    changes.items.emplace(id, index);
    changes.events.push_back(
        {.at = now,
         .subject = subject_of(id),
         .type = "attempt_placed",
         .organisation_id = task.organisation_id,
         .actor = "platform",
         .state = "RESERVED",
         .message = "item " + std::to_string(index) + ", attempt " + std::to_string(item.attempts) +
                    " at " + places_of(members),
         .cost = task.cost,
         .attempt_id = members.front().id}
    );
    update_task(record, now, "platform", "", changes);
    return members;
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
    if (report.ready.value_or(false)) member_ready(record, attempt, now, changes);
    if (attempt.state != report.state) {
        attempt.state = report.state;
        item.state = attempt.gang ? slowest_of(gang_of(attempt)) : report.state;
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
    take_outputs(record, attempt, report);
    if (attempt.gang) return member_ended(record, attempt, now, changes);
    changes.ended.push_back(attempt.id);
    if (report.exit_code) record.task.exit_code = report.exit_code;
    settle_item(record, item, attempt, now, changes);
    update_task(record, now, "agent/" + attempt.placement.node, report.message, changes);
}

// Of a gang, the head's files have their own names, those of another rank stand below `rank-N/`.
void Board::take_outputs(Record& record, const Attempt& attempt, const AttemptReport& report) {
    for (OutputFile output : report.outputs) {
        output.item = attempt.item;
        if (attempt.gang && attempt.gang->rank > 0)
            output.path = "rank-" + std::to_string(attempt.gang->rank) + "/" + output.path;
        std::erase_if(record.task.outputs, [&](const OutputFile& known) {
            return known.item == output.item && known.path == output.path;
        });
        record.task.outputs.push_back(std::move(output));
    }
}

// What an ended attempt means for its item: done, tried again, or given up.
void Board::settle_item(
    Record& record, TaskItem& item, const Attempt& attempt, Time now, Changes& changes
) {
    changes.items.emplace(record.task.id, item.index);
    item.reason = attempt.reason;
    if (item.leaves_at && !record.stopping) return rest(record, item);
    if (attempt.state == TaskState::succeeded) {
        item.state = TaskState::succeeded;
        return;
    }
    if (record.stopping) {
        item.state = state_after_stop(*record.stopping);
        item.reason = *record.stopping;
        return;
    }
    if (attempt.reason == TaskReason::preempted || attempt.reason == TaskReason::time_shared)
        return settle_preempted(record, item);
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

}  // namespace penstock::tasks
