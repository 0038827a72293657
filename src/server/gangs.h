// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "server/billing.h"
#include "server/platform.h"

namespace penstock::server {

// Whether waiting could help where a plan is not feasible: another task ends, a node comes back.
bool possible_ever(const Plan& plan);

// Turns the chosen candidates of a feasible plan into the attempts of an item, one for each node:
// capacity holds, money holds and attempts, all in `change` or, when the wallet does not reach for
// all of them, nothing (insufficient_funds). By rank.
Result<std::vector<Attempt>> begin_item(
    Platform& platform, Billing& billing, Change& change, const Task& task, std::int64_t item,
    const Plan& plan
);

}  // namespace penstock::server
