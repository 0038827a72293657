// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "scheduler/scheduler.h"

// Plans over a whole fleet ask of one node for all that are like it: a site of ten thousand nodes
// has a few kinds of them.
namespace penstock::scheduler {

// Supplies of one site whose nodes differ, for the plan of a spec, in nothing but their names.
struct AlikeSupplies {
    Supply shown;  // the first of them, standing for the others
    std::vector<const Node*> nodes;
};

// Sorts supplies, given by site and name, into such groups; the order of the first of each is kept.
// What is free of a node is not looked at: all have room for what is asked, or none has work on it.
// Those whose nodes are in `apart`, which is sorted, stay alone.
std::vector<AlikeSupplies> alike_supplies(
    const std::vector<Supply>& supplies, const TaskSpec& spec, const std::vector<NodeId>& apart = {}
);
// The same for a request of which it is only known whether its devices are to be linked.
std::vector<AlikeSupplies> alike_supplies(const std::vector<Supply>& supplies, bool linked);

constexpr std::size_t kSuitedPlacesMax = 512;
// Where an item could run were the supplies of the input empty; the best first, of equal ones by
// name, `most` at most.
std::vector<Place> suited_places(Input input, std::size_t most = kSuitedPlacesMax);
// The same where they are sorted already: each supply of the input stands for its peers.
std::vector<Place> suited_places_of_groups(Input input, std::size_t most);

}  // namespace penstock::scheduler
