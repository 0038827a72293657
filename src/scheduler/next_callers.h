// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "model/plan.h"
#include "model/site.h"

// For whom the next replica of a service is placed.
namespace penstock::scheduler {

// `replicas`: the sites of those that stand. The first replica is for all callers. Each further one
// is for the region that is served worst without it: calls go to the nearest replica, and with the
// next one each replica is to take an equal part of them; what of a region is left then, times the
// round trip to the replica that is nearest to it, is its need. The greatest need wins, of equal
// ones the first by name. Regions from which no round trip to any replica is known say nothing;
// where it is so for all of them, the next replica is for all callers again.
// Named only where calls come from; shares need not sum to 1.
std::vector<CallerShare> next_callers(
    const std::vector<CallerShare>& callers, const std::vector<const SiteSpec*>& replicas
);

}  // namespace penstock::scheduler
