// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "scheduler/explain.h"
#include "scheduler/objective.h"
#include "scheduler/terms.h"

// When a candidate starts: plan() asks for each node.
namespace penstock::scheduler {

// Now, or as soon as the calendar of the node has room for all of it.
Time first_start(const Input& input, const Asked& asked);

// The later starts of `first` that could win: at full hours, feasible, ending before the deadline,
// and better in cost or carbon than every earlier one. None without deadline, outlook or run time.
std::vector<Judged> later_starts(const Input& input, const Filters& filters, const Judged& first);

// Where the best of `objective.order` starts later: when, and what that gains over the best of
// those that could start at once.
std::optional<LaterStart> later_start(
    const std::vector<Candidate>& candidates, const Objective& objective
);

}  // namespace penstock::scheduler
