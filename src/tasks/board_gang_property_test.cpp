// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>

#include "json/json.h"
#include "tasks/board.h"
#include "tasks/state.h"

namespace penstock::tasks {
namespace {

const Time kStart = *parse_rfc3339("2026-11-24T00:00:00Z");

// A board with one gang, an owner that holds and settles as the server does, and agents that may
// say anything at any time.
class GangModel {
  public:
    explicit GangModel(std::size_t size) : size_(size) {
        Task task;
        task.id = task_ = ids_.next<TaskId>(now_);
        task.name = "job";
        task.spec = {.run = "true", .checkpoint = CheckpointSpec{}};
        task.spec.num_nodes = static_cast<std::int64_t>(size);
        task.created_at = now_;
        Changes changes;
        RC_ASSERT(board_.create(task, changes).has_value());
        apply(changes);
    }

    void act() {
        now_ += 1s;
        Changes changes;
        for (const Waiting& waiting : board_.waiting(now_)) place(waiting, changes);
        const std::vector<const Attempt*> active = board_.active_attempts();
        const int what = *rc::gen::inRange(0, 20);
        if (what == 0) {
            (void)board_.cancel(task_, TaskReason::canceled_by_user, "u", "", now_, changes);
        } else if (what == 1 && !active.empty()) {
            const Attempt& any = *active[*rc::gen::inRange<std::size_t>(0, active.size())];
            board_.node_lost(any.placement.node_id, now_ - 10s, now_, changes);
        } else if (what == 2) {
            now_ += kGangAssemblyMax;
            board_.tick(now_, changes);
        } else if (!active.empty()) {
            report(*active[*rc::gen::inRange<std::size_t>(0, active.size())], changes);
        }
        apply(changes);
        check();
    }

    // Agents that were told to stop do so; nothing else happens.
    void obey() {
        for (int i = 0; i < 3; ++i) {
            Changes changes;
            now_ += 1s;
            for (const Attempt* each : board_.active_attempts())
                if (!board_.is_wanted(*each))
                    (void)board_.report(
                        {.attempt_id = each->id,
                         .fence = each->fence,
                         .state = TaskState::canceled,
                         .reason = TaskReason::member_failed,
                         .at = now_},
                        now_, changes
                    );
            apply(changes);
        }
        check();
        // Never a part of a gang: all members of the try are there, or none is.
        std::size_t there = 0;
        for (const Attempt* each : board_.active_attempts()) {
            RC_ASSERT(board_.is_wanted(*each));
            there = 0;
            for (const Attempt* member : board_.members_of(*each))
                there += is_active(member->state) || member->state == TaskState::succeeded ? 1 : 0;
            RC_ASSERT(there == size_);
        }
    }

  private:
    void place(const Waiting& waiting, Changes& changes) {
        std::vector<Attempt> members(size_);
        for (Attempt& each : members) {
            each.id = ids_.next<AttemptId>(now_);
            each.placement.node_id = ids_.next<NodeId>(now_);
            each.held = Money::micro(100);
            capacity_[each.id] = money_[each.id] = true;
        }
        board_.begin_gang(waiting.task_id, waiting.item, std::move(members), now_, changes);
    }
    void report(const Attempt& attempt, Changes& changes) {
        AttemptReport report{.attempt_id = attempt.id, .fence = attempt.fence, .at = now_};
        report.state = *rc::gen::element(
            TaskState::staging, TaskState::running, TaskState::collecting, TaskState::succeeded,
            TaskState::failed, TaskState::canceled
        );
        report.ready = *rc::gen::arbitrary<bool>();
        if (report.state == TaskState::failed)
            report.fault_domain =
                *rc::gen::element(FaultDomain::user, FaultDomain::provider, FaultDomain::platform);
        report.fence -= *rc::gen::inRange(0, 5) == 0 ? 1 : 0;
        const bool known = board_.report(report, now_, changes).has_value();
        RC_ASSERT(known == (report.fence == attempt.fence));
    }
    // As the server: capacity and money are given back once, and whoever is told to go is there.
    void apply(const Changes& changes) {
        for (const AttemptId id : changes.vacated) give(capacity_, id);
        for (const AttemptId id : changes.ended) {
            capacity_[id] = false;
            give(money_, id);
            board_.set_cost(id, Money(), Money::micro(7), scratch_);
        }
        for (const Go& go : changes.goes)
            RC_ASSERT(board_.find_attempt(go.go.attempt_id) != nullptr);
    }
    static void give(std::map<AttemptId, bool>& holds, AttemptId id) {
        RC_ASSERT(holds.at(id));
        holds[id] = false;
    }
    void check() {
        const Task& task = *board_.find(task_);
        std::int64_t held = 0, cost = 0;
        for (const Attempt* each : board_.attempts_of(task_)) {
            RC_ASSERT(capacity_.at(each->id) == is_active(each->state));
            held += each->held.micro();
            cost += each->cost.micro();
            // Money of a member is open exactly while its gang is not settled.
            bool open = false;
            for (const Attempt* member : board_.members_of(*each))
                open = open || is_active(member->state);
            RC_ASSERT(money_.at(each->id) == open);
        }
        RC_ASSERT(task.held.micro() == held);
        RC_ASSERT(task.cost.micro() == cost);
        RC_ASSERT((!is_terminal(task.state) || board_.active_attempts().empty()));
    }

    std::size_t size_;
    SeededRandom random_{7};
    IdSource ids_{random_};
    Board board_;
    Changes scratch_;
    Time now_ = kStart;
    TaskId task_;
    std::map<AttemptId, bool> capacity_;
    std::map<AttemptId, bool> money_;
};

RC_GTEST_PROP(GangProperty, IsNeverLeftInPartAndGivesBackAllItHeldOnce, ()) {
    GangModel model(*rc::gen::inRange<std::size_t>(2, 6));
    const int steps = *rc::gen::inRange(1, 60);
    for (int i = 0; i < steps; ++i) {
        model.act();
        if (*rc::gen::inRange(0, 4) == 0) model.obey();
    }
    model.obey();
}

}  // namespace
}  // namespace penstock::tasks
