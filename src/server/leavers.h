// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "scheduler/queue_round.h"
#include "tasks/board.h"

// Who might leave for others, as a round of the queue sees it.
namespace penstock::server {

scheduler::Tenant tenant_of(const Task& task);

// Read from the board once, and then told what changes: a round asks up to sixteen times, and on a
// large platform each walk over all attempts costs more than the answer. Owned by the round; the
// board outlives it.
class Leavers {
  public:
    // `lent`: replicas that run for lines of batches alone; they go before all other work.
    explicit Leavers(const tasks::Board& board, const std::set<AttemptId>& lent = {});
    // It was told to leave since.
    void told_to_leave(AttemptId attempt);
    // What was told to leave, and what the asker could have a claim on if it asks for one of
    // `asked`: nobody else can leave for it. Empty where it has a claim on nothing.
    std::vector<LeavableWork> of(
        const scheduler::FairQueue& queue, const scheduler::Asker& asker,
        const std::vector<scheduler::Amounts>& asked, Time now
    ) const;

  private:
    // Attempts that differ in nothing but what they have not saved go together: tenant, priority,
    // whether it is spot work, whether it leaves, until when it is left alone.
    using Kind = std::tuple<scheduler::Tenant, std::int64_t, bool, bool, std::optional<Time>>;
    struct Run {
        AttemptId attempt;
        std::optional<Time> saved;  // up to when; absent: it has not begun
    };
    std::map<Kind, std::vector<Run>> kinds_;
};

// What the items of a task take in all: one for each accelerator that it may have.
std::vector<scheduler::Amounts> amounts_asked(const TaskSpec& spec);

}  // namespace penstock::server
