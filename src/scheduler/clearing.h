// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "scheduler/reclaim.h"

// One node being cleared for one request: a step of plan_reclaim().
namespace penstock::scheduler {

__extension__ using WideInteger = __int128;

// What clearing costs; less is better. Nothing for a node that has room as it is.
struct ClearingCost {
    bool beyond_spot = false;
    std::int64_t priority = INT64_MIN;  // the highest of the victims
    WideInteger lost = 0;               // thousandths of devices × time since the checkpoint

    void add(const Resident& victim);
    void add(const ClearingCost& other);
    auto operator<=>(const ClearingCost&) const = default;
};

using Victims = std::vector<std::pair<const Resident*, Claim>>;  // residents of overlays

struct Cleared {
    ClearingCost cost;
    Victims victims;                       // none: there is room
    std::unique_ptr<NodeOverlay> overlay;  // the node without them

    std::int64_t fragments_grown(const Place& place) const {
        return overlay->fragments_grown(place.request);
    }
};

// Those that have to leave a place for its request, the cheapest first, of whom the asker has a
// claim on; `beside` leave other nodes for it. nullopt: it cannot be cleared.
std::optional<Cleared> clear_place(
    const FairQueue& queue, const Asker& asker, const ReclaimGround& ground, std::size_t place,
    Time now, const Victims& beside = {}
);

}  // namespace penstock::scheduler
