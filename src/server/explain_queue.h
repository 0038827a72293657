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

// Changes of the spec, each planned, with which the task would start now.
std::vector<StartingChange> starting_changes(
    Platform& platform, const Task& task, const scheduler::Reservations& promises
);

}  // namespace penstock::server
