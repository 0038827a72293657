// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "model/task_spec.h"
#include "sim/serve_sites.h"
#include "tasks/board.h"

namespace penstock::sim {

// Which site takes the next replica of a service. One run owns it.
class ReplicaPlacer {
  public:
    virtual ~ReplicaPlacer() = default;
    struct Place {
        std::size_t site = 0;
        // By which replicas leave (tasks::before_in_leaving): what one costs, and how far those
        // are for whom it was placed.
        ExactMoney price_per_hour;
        std::optional<double> latency_ms;
    };
    // `taken`: the sites of the replicas that stand. Nothing: no site has room.
    virtual std::optional<Place> place(
        const std::vector<std::size_t>& taken, const std::vector<CallerShare>& callers, Time now
    ) = 0;
};

// The placements, by name:
//   by_region   scheduler::plan() with the callers that scheduler::next_callers() names, as the
//               server does it
//   alone       the same, each replica as if it were the only one: for all callers
//   nearest     the site with room that is nearest to the region of most calls
//   one_site    the site that is nearest to all callers in the mean, and no other
//   random      any site with room
const std::vector<std::string_view>& replica_placement_names();
// `strategy`: of the first two. Borrows the sites and the source of chance.
Result<std::unique_ptr<ReplicaPlacer>> make_replica_placer(
    std::string_view name, const ServeSites& sites, const Strategy& strategy, Random& random
);

}  // namespace penstock::sim
