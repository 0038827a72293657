// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "model/plan.h"
#include "model/site.h"

namespace penstock::scheduler {

// One way to take an item: a request on a node for a score (of objective.h, lower is better).
struct Option {
    std::size_t node = 0;  // index into the free capacities
    ResourceRequest request;
    std::int64_t score = 0;
};

// Several items that wait at once, decided together.
struct Assignment {
    std::vector<std::optional<std::size_t>> option_of;  // of each item, into its options
    std::int64_t unplaced = 0;
    std::int64_t score = 0;  // sum over the placed items
    // Nothing places more, or as many for less, of what was looked for; else the search was cut.
    bool proven = false;
};

// Places as many items as it can and, of those ways, takes the one with the least sum of scores.
// Starts from the items in their order, each at its best option that still fits, and improves that
// by a depth-first search with a bound; after kAssignStepsMax steps the best found so far is the
// answer, never worse than the start. Pure and deterministic.
Assignment assign(
    const std::vector<Capacity>& free, const std::vector<std::vector<Option>>& options
);
// The same in the order of a queue: whoever finds room in the start has a place, and nobody is
// passed over while those before it leave it room.
Assignment assign_in_queue(
    const std::vector<Capacity>& free, const std::vector<std::vector<Option>>& options
);
constexpr std::int64_t kAssignStepsMax = 20'000;
// The start alone: what deciding the items one after another gives.
Assignment assign_in_order(
    const std::vector<Capacity>& free, const std::vector<std::vector<Option>>& options
);

}  // namespace penstock::scheduler
