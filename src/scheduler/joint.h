// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "model/plan.h"

namespace penstock::scheduler {

constexpr std::size_t kJointItemsMax = 8;

// Work that waits at once, each planned as if it were alone.
struct JointChoice {
    // Of each plan the index of the candidate it takes; nothing where it finds no room beside the
    // others.
    std::vector<std::optional<std::size_t>> candidate_of;
    bool gains = false;  // more find room than if each took its best in turn, or do so for less
};

// In the order of the plans, by assign_in_queue(): whoever would find room in its turn has a place;
// beside them as many more as can be, and of those ways the one with the least sum of losses.
// Nobody takes a later accelerator of its list for others. Candidates that start later, and gangs,
// take no part. `free`: of the candidates' nodes. Pure and deterministic.
JointChoice choose_jointly(
    const std::vector<const Plan*>& plans, const std::map<NodeId, Capacity>& free
);

// What plan `i` leaves to the others by taking its candidate: nodes of the candidates before it,
// and those that others take, since with fewer nodes free it could come to prefer one of them;
// sorted, without its own.
std::vector<NodeId> nodes_left(
    const std::vector<const Plan*>& plans, const JointChoice& choice, std::size_t i
);

// The accelerator of that candidate, where the plan prefers another one on the same node: that one
// is left to others as well, so the question has to ask for this one alone.
std::optional<Accelerator> accelerator_alone(const Plan& plan, std::size_t candidate);

}  // namespace penstock::scheduler
