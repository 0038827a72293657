// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "timeshare/problem.h"

namespace penstock::timeshare {

// How shares are set; README.md says what each knows and wants.
enum class Policy : std::uint8_t {
    agnostic_las,
    gavel_las,
    gavel_water_filling,
    gavel_makespan,
    gavel_finish_time,
    gavel_cost
};

// Feasible shares for the jobs of a problem; none for no jobs. Refuses a problem that check()
// refuses, and for gavel_cost least rates that cannot all be met.
Result<Shares> allocate(Policy policy, const Problem& problem);

// A job's level under shares: weighted, normalised throughput, what maximin policies raise.
double level(const Problem& problem, const Job& job, std::span<const double> shares);

}  // namespace penstock::timeshare
