// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "model/plan.h"

namespace penstock::scheduler {

constexpr std::size_t kJointItemsMax = 8;
// What one gives up at most for the others: terms a quarter worse in the mean, as a loss.
constexpr double kJointLossMax = 0.2231;

// Work that waits at once, each planned as if it were alone.
struct JointChoice {
    // Of each plan the index of the candidate it takes; nothing where it finds no room beside the
    // others.
    std::vector<std::optional<std::size_t>> candidate_of;
    bool gains = false;  // more find room than if each took its best in turn, or do so for less
};

// Places as many as it can and, of those ways, takes the one with the least sum of losses, by
// assign(); but none that would find room in its turn stays behind for others. Candidates that
// start later, and gangs, take no part. `free`: of the candidates' nodes. Pure and deterministic.
JointChoice choose_jointly(
    const std::vector<const Plan*>& plans, const std::map<NodeId, Capacity>& free
);

// Nodes of the candidates that stand before that one, without its own: what is left to others by
// taking it.
std::vector<NodeId> nodes_before(const Plan& plan, std::size_t candidate);

}  // namespace penstock::scheduler
