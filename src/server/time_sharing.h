// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "server/shared_round.h"

// Time-shared tasks take turns on the devices that all other work leaves: docs/time-sharing.md.
namespace penstock::server {

// A task that runs for less than this part of a round keeps its place at the end of it.
constexpr int kRoundPartToMove = 2;
constexpr Duration kFillEvery = 1s;  // within a round what came free is given out, at most so often

constexpr Duration kTimeSharingRoundMin = 1s;
constexpr Duration kTimeSharingRoundMax = std::chrono::hours(24);
Result<void> check_time_sharing(const TimeSharingOptions& options);

// Whose turn it is. Rounds begin at whole multiples of their length, so a restart needs to know
// nothing: who runs is on the board, what each received is in its attempts; turns that were given
// and had not begun are given anew. The dispatcher calls it after each round of its queue.
//     if (sharing.holds_back(task)) …     // not in the queue
//     sharing.plan(promises);             // where a round begins, or devices came free
//     for (TaskId id : sharing.to_start()) …  place sharing.narrowed(task), then started() or …
class TimeSharingOwner {
  public:
    explicit TimeSharingOwner(Platform& platform);

    // A time-shared task that some node could take: it waits for its turn. What no node could ever
    // take stays in the queue, which says why.
    bool holds_back(const Task& task) const;
    // Gives turns, and notice to those whose round is over. A round begins: to all that run or
    // wait. In between: to those that wait, of what is free. True: some were told to leave, so the
    // queue counts their tenants wrongly until it is made anew.
    bool plan(const scheduler::Reservations& promises);
    // Tasks whose turn it is and whose node has room now.
    std::vector<TaskId> to_start() const;
    const Turn* turn_of(TaskId task) const;
    // The task's spec with no alternative but those of its turn; as it is where it has none.
    TaskSpec narrowed(const Task& task) const;
    // Nodes whose room others wait for whose turn it is.
    std::vector<NodeId> kept_from(TaskId task) const;
    // How long it can run for sure: to the end of the round and the notice after it.
    Duration at_most() const;
    void started(TaskId task) { turns_.erase(task); }
    // It cannot take its turn for a reason of its own: others may have it until the next round.
    void forgo(TaskId task);
    // It has its turn and waits until others have left.
    void say_turn(const Task& task);

    TimeSharing view(const Task& task) const;

  private:
    bool is_over(TaskId task) const;
    std::vector<const Task*> waiting(bool with_turns) const;
    RoundScope scope_of(bool whole, const scheduler::Reservations& promises);
    bool begin(const scheduler::Reservations& promises, bool whole);
    void give_turns(const SharedRound& round, const timeshare::RoundPlan& plan);
    bool give_notice(const SharedRound& round, const timeshare::RoundPlan& plan);
    void say_all(
        const SharedRound& round, const timeshare::RoundPlan& plan, const SharedQuotas& quotas
    );
    std::string received_text(const Task& task, const char* of, const char* none) const;

    Platform& platform_;
    std::optional<std::int64_t> round_;  // the newest that was looked at
    std::map<TaskId, Turn> turns_;       // given in this round, not begun
    std::set<TaskId> forgone_;           // in this round
    std::set<TaskId> homeless_;
    std::optional<Time> counted_since_;
    // What the newest plan was made from; the same needs no other.
    std::pair<std::uint64_t, std::vector<TaskId>> looked_at_;
    Time last_plan_{};
    telemetry::Counter& rounds_;
    telemetry::Counter& notices_;
};

}  // namespace penstock::server
