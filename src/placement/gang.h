// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "placement/placer.h"
#include "placement/topology.h"
#include "placement/transaction.h"

namespace penstock::placement {

// `count` equal tasks that start together or not at all.
struct Gang {
    ShapeId shape = 0;
    std::int32_t count = 1;
    Level widest = Level::cluster;  // the largest cell it may spread over
};

struct GangPlacement {
    Level level = Level::domain;  // of the smallest cell that holds it
    std::vector<Placement> tasks;
};

// Places a gang in the smallest cell that holds it: the tightest domain, else node, else rack,
// site, cluster. Inside, the same rule cell by cell: the tightest part that takes all of the rest,
// or the roomiest one whole, so that few larger cells are broken. nullopt: no cell holds it, and
// nothing was changed.
std::optional<GangPlacement> place_gang(Placer& placer, const Topology& topology, const Gang& gang);

// A set of nodes in which a gang may be placed.
struct Cell {
    Level level = Level::cluster;
    std::uint32_t index = 0;  // of the node, rack or site
};

// As place_gang() within one cell; false (and changes left for the caller to undo) when it is too
// small. Appends to `tasks`.
bool fill_cell(
    Transaction& transaction, const Placer& placer, const Topology& topology, const Gang& gang,
    Cell cell, std::vector<Placement>& tasks
);

}  // namespace penstock::placement
