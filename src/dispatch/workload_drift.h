// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <vector>

#include "model/plan.h"

namespace penstock::dispatch {

// Whether more than a tenth of the requests would have to be others to make one list of the other,
// beyond what chance makes of two lists of one mix. Memory does not count; neither list is empty.
bool drifted(const std::vector<ResourceRequest>& before, const std::deque<ResourceRequest>& now);

}  // namespace penstock::dispatch
