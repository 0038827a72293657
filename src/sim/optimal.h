// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "sim/progress.h"

namespace penstock::sim {

// How near the ways of deciding several tasks that wait at once come to the best there is.
struct OptimalOptions {
    std::int64_t instances = 1000;
    std::uint64_t seed = 1;
    std::int64_t nodes_max = 6;
    std::int64_t tasks_max = 8;
};
constexpr std::int64_t kOptimalInstancesMax = 1'000'000;
constexpr std::int64_t kOptimalNodesMax = 6;  // more, and brute force takes too long
constexpr std::int64_t kOptimalTasksMax = 8;

// One way over all instances. A loss is (sum of the tasks' losses − the least) / the least; below
// kOptimalFloor, a hundredth of one regret, the least counts as that much.
struct WayOfDeciding {
    std::string way;
    double loss_mean = 0;  // over the instances in which it places as many as there is room for
    double loss_worst = 0;
    std::int64_t best = 0;          // instances in which nothing is better
    std::int64_t fewer_placed = 0;  // instances in which another way places more
    std::int64_t out_of_order = 0;  // instances in which it passes over somebody whose turn it was
};
constexpr double kOptimalFloor = 0.01;

// The ways, in this order, and the brute force that each is held against:
//   server   what the server does: scheduler::choose_jointly() on plans made as if each were alone,
//            then scheduler::plan() for each in its turn, which leaves to the others what it gave
//            up. Held against the best that keeps the order of the queue: whoever finds room in its
//            turn has a place
//   assign   scheduler::assign() over all candidates, against the best that looks at no order
//   in_turn  scheduler::plan() for each in its turn, against the same as the server
struct OptimalReport {
    std::int64_t instances = 0;
    std::int64_t tasks = 0;              // of all instances
    std::int64_t unplaced = 0;           // of these, by brute force without an order
    std::int64_t unplaced_in_order = 0;  // by the one that keeps it
    std::vector<WayOfDeciding> ways;
};

// Instances are drawn from the seed: 2 to nodes_max nodes at sites of their own with prices, grids,
// round trips, controls and devices of two models; 2 to tasks_max tasks that ask for cores, memory
// and for none, one or two devices of either or any model, each with five weights of its own. What
// a task loses at a candidate is what plan() says of it on the empty nodes. Brute force tries every
// way to give each task a candidate or none, most places first, then the least sum of losses, and
// leaves out only what cannot be better.
Result<OptimalReport> measure_optimal(const OptimalOptions& options, Progress& progress);

}  // namespace penstock::sim
