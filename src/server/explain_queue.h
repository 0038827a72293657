// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "scheduler/reservations.h"
#include "scheduler/start_record.h"
#include "server/platform.h"

namespace penstock::server {

// Fills in what the queue knows of a waiting task: position, who is ahead, the quota that blocks
// it, when it may start, and what change would start it now. Names tasks of its own organisation
// only.
void explain_queue(
    Platform& platform, const Task& task, const scheduler::Reservations& promises,
    const scheduler::StartRecord& record, Explanation& explanation
);

// Fills in what change of the spec, or of a quota, would start now a task that waits for room or
// that nothing could take. Each is planned: every constraint that the spec states, every other
// model, less of what it asks; two together where no single one helps. The smallest first.
void explain_changes(
    Platform& platform, const Task& task, const scheduler::Reservations& promises,
    Explanation& explanation
);
// For one explanation, on the executor of all state: plans, of them pairs, and the time they take.
constexpr std::size_t kStartingPlansMax = 96;
constexpr std::size_t kStartingPairsMax = 32;
constexpr Duration kStartingPlansTime = 250ms;   // of CPU
constexpr std::size_t kStartingChangesMax = 16;  // that are told
constexpr std::size_t kStartingPairsTold = 3;
constexpr std::size_t kPrioritiesTriedMax = 4;  // above those of its project that run

}  // namespace penstock::server
