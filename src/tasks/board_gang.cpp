// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <tuple>

#include "tasks/board.h"
#include "tasks/state.h"

// Gangs: the attempts of one item that start together and end together.
namespace penstock::tasks {
namespace {

std::string called(const Attempt& member) {
    return "rank " + std::to_string(member.gang->rank) + " on " + member.placement.site + "/" +
           member.placement.node;
}

bool by_others(const Attempt& member) {
    return member.fault_domain && *member.fault_domain != FaultDomain::user;
}

// How much a member's end says of why the gang ended; less is more. A node that was lost makes the
// programs on the others fail too, often seconds before its silence is noticed: the fault of
// others decides whenever there is one.
int weight_of(const Attempt& member) {
    if (member.state == TaskState::failed) return by_others(member) ? 0 : 1;
    return member.state == TaskState::succeeded ? 3 : 2;
}

}  // namespace

std::vector<Attempt*> Board::gang_of(const Attempt& attempt) {
    std::vector<Attempt*> members;
    for (const Attempt* each : members_of(attempt)) members.push_back(&attempts_.at(each->id));
    return members;
}

TaskState Board::slowest_of(const std::vector<Attempt*>& members) {
    for (const TaskState state : {TaskState::reserved, TaskState::staging, TaskState::running})
        if (std::ranges::any_of(members, [&](const Attempt* each) { return each->state == state; }))
            return state;
    return TaskState::collecting;
}

void Board::member_ready(Record& record, Attempt& attempt, Time now, Changes& changes) {
    if (!attempt.gang || attempt.gang->ready) return;
    attempt.gang->ready = true;
    if (!may_go(attempt)) return;
    for (const Attempt* member : gang_of(attempt))
        changes.goes.push_back({member->placement.node_id, {member->id, member->fence}});
    add_event(
        record.task.id, "gang_assembled", "platform",
        "all " + std::to_string(attempt.gang->members) + " nodes are ready", now, changes
    );
}

void Board::stop_members(const Attempt& cause, Changes& changes) {
    for (const Attempt* member : gang_of(cause))
        if (is_active(member->state))
            changes.stops.push_back(
                {member->placement.node_id,
                 {.attempt_id = member->id,
                  .fence = member->fence,
                  .reason = TaskReason::member_failed,
                  .grace = kStopGrace}}
            );
}

void Board::member_ended(Record& record, Attempt& attempt, Time now, Changes& changes) {
    changes.vacated.push_back(attempt.id);
    if (attempt.state != TaskState::succeeded) stop_members(attempt, changes);
    const std::vector<Attempt*> members = gang_of(attempt);
    if (std::ranges::none_of(members, [](const Attempt* each) { return is_active(each->state); }))
        return gang_ended(record, members, now, changes);
    TaskItem& item = record.items.at(static_cast<std::size_t>(attempt.item));
    item.state = slowest_of(members);
    changes.items.emplace(record.task.id, item.index);
    update_task(record, now, "agent/" + attempt.placement.node, "", changes);
}

// Every member has ended; only now it is known whose fault it was, and who pays for which time.
void Board::gang_ended(
    Record& record, const std::vector<Attempt*>& members, Time now, Changes& changes
) {
    Attempt& cause = **std::ranges::min_element(members, {}, [](const Attempt* each) {
        return std::tuple(weight_of(*each), *each->ended_at, each->gang->rank);
    });
    for (Attempt* member : members) {
        changes.ended.push_back(member->id);
        changes.attempts.insert(member->id);
        if (member == &cause || !by_others(cause) || by_others(*member)) continue;
        member->fault_domain = cause.fault_domain;
        member->reason = TaskReason::member_failed;
        member->message += (member->message.empty() ? "" : "; ") + ("ended by " + called(cause));
    }
    if (cause.exit_code) record.task.exit_code = cause.exit_code;
    Attempt told = cause;
    if (told.state != TaskState::succeeded)
        told.message = called(cause) + ": " + (told.message.empty() ? "stopped" : told.message);
    TaskItem& item = record.items.at(static_cast<std::size_t>(cause.item));
    settle_item(record, item, told, now, changes);
    update_task(record, now, "agent/" + cause.placement.node, told.message, changes);
}

bool Board::may_go(const Attempt& attempt) const {
    if (!attempt.gang || !is_wanted(attempt)) return false;
    // Some may have succeeded already: one that was away when the others began goes as well.
    const std::vector<const Attempt*> members = members_of(attempt);
    return std::ranges::all_of(members, [](const Attempt* each) { return each->gang->ready; });
}

bool Board::is_wanted(const Attempt& attempt) const {
    if (!is_active(attempt.state) || records_.at(attempt.task_id).stopping) return false;
    if (!attempt.gang) return true;
    const std::vector<const Attempt*> members = members_of(attempt);
    return std::ranges::all_of(members, [](const Attempt* each) {
        return is_active(each->state) || each->state == TaskState::succeeded;
    });
}

void Board::end_unassembled(Time now, Changes& changes) {
    std::vector<AttemptId> late;
    for (const auto& [id, active] : active_) {
        const Attempt& attempt = *active.attempt;
        const bool before_run =
            attempt.state == TaskState::reserved || attempt.state == TaskState::staging;
        if (attempt.gang && before_run && now - attempt.created_at > kGangAssemblyMax)
            late.push_back(id);
    }
    for (const AttemptId id : late) {
        Attempt& attempt = attempts_.at(id);
        if (!is_active(attempt.state)) continue;
        const bool ready = attempt.gang->ready;
        const bool failed_alone = !ready || may_go(attempt);
        if (!failed_alone) continue;  // it waits for the others; their end stops it
        const AttemptReport report{
            .attempt_id = id,
            .fence = attempt.fence,
            .state = TaskState::failed,
            .reason = TaskReason::agent_error,
            .message = "not ready to run with its gang within " + to_string(kGangAssemblyMax),
            .fault_domain = FaultDomain::provider,
            .at = now
        };
        changes.stops.push_back(
            {attempt.placement.node_id,
             {.attempt_id = id,
              .fence = attempt.fence,
              .reason = TaskReason::member_failed,
              .grace = kStopGrace}}
        );
        end_attempt(at(attempt.task_id), attempt, report, now, changes);
    }
}

}  // namespace penstock::tasks
