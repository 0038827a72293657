// SPDX-License-Identifier: Apache-2.0
#include "dispatch/staging_routes.h"

namespace penstock::dispatch {

StagingRoutes::StagingRoutes(const std::optional<SiteSpec>& source) {
    if (!source) return;
    for (const auto& [site, route] : source->routes)
        routes_[site] = {
            .rtt_ms = route.rtt_ms,
            .bandwidth_mbps = route.bandwidth_mbps,
            .egress_per_gb = route.egress_per_gb ? route.egress_per_gb : source->egress_per_gb
        };
}

const scheduler::Route* StagingRoutes::to(const Site& site) const {
    const auto found = routes_.find(site.spec.name);
    return found == routes_.end() ? nullptr : &found->second;
}

}  // namespace penstock::dispatch
