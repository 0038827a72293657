// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/scale.h"

namespace penstock::sim {

// The same cluster decided as the server does it: a question with its spec, the pick of every pool,
// the plan over them with five terms and its texts, the second look by the fleet and the hold; then
// also with each decision recorded as JSON, as it would be stored. No network and no disk.
// A cluster that names no sites is one site.
Result<DispatchTimes> measure_dispatch(
    const ClusterTrace& cluster, const std::vector<TracedTask>& tasks, const ScaleOptions& options,
    Progress& progress
);

}  // namespace penstock::sim
