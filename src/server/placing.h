// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "server/billing.h"
#include "server/platform.h"

// What a decision to place begins: one attempt, or one of each member of a gang.
namespace penstock::server {

// By rank, each with the hold of its capacity; not begun, and nothing is held yet.
std::vector<Attempt> attempts_of(
    Platform& platform, const DecisionAnswer& answer, const std::vector<fleet::CapacityHold>& rooms
);

// Holds the money of all of them, or of none: insufficient_funds.
Result<void> hold_money(
    Billing& billing, Change& change, const Task& task, const std::vector<Attempt>& attempts
);

}  // namespace penstock::server
