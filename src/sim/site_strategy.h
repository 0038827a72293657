// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "model/task_spec.h"

namespace penstock::sim {

// Weights by the name of a strategy, or as in "cost=0.5+green=0.5"; a baseline of `sim sites` has
// none and is no strategy. The error names what is not understood.
Result<Strategy> site_strategy(std::string_view text);

}  // namespace penstock::sim
