// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "timeshare/problem.h"

namespace penstock::timeshare {

// What one round of each job is worth on each kind; 0: it cannot run there.
struct Worths {
    std::size_t kinds = 0;
    std::vector<double> values;  // [job][kind]
    double at(std::size_t job, std::size_t kind) const { return values[job * kinds + kind]; }
};

// A price for a device of each kind, for one round, at which jobs that take what leaves them most
// ask for about as many devices as there are. They are the dual values of the best assignment that
// may cut jobs in parts, nearly: kPriceSteps subgradient steps. A kind with room to spare costs 0.
struct DevicePrices {
    std::vector<double> of;  // by kind
    double worth_max = 0;    // no assignment is worth more in sum
};
constexpr int kPriceSteps = 60;
DevicePrices device_prices(const Problem& problem, const Worths& worths);

}  // namespace penstock::timeshare
