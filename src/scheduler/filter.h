// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "scheduler/scheduler.h"

namespace penstock::scheduler {

// Why a node is out, with figures; `none` when it is in. Filters run in a fixed order: what can never be
// changed by waiting comes first, so that the reason tells what to do.
struct Verdict {
    FilterReason reason = FilterReason::none;
    std::string detail;
};
// `request` has the accelerator that was chosen for this node.
Verdict filter(const Input& input, const Supply& supply, const ResourceRequest& request, const std::optional<Price>& hourly);

// Whether "provider/region" with * for any names the site.
bool infra_matches(std::string_view infra, const Site& site);

}  // namespace penstock::scheduler
