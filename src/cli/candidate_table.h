// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli/column.h"
#include "cli/invocation.h"
#include "model/plan.h"

namespace penstock::cli {

// Candidates with their five terms: what a plan and an explanation show.
const View& candidate_view();
constexpr std::size_t kCandidatesShownMax = 20;

// On stderr: the table (its first rows), the weights, the explanation and the estimate.
void show_plan(const Invocation& invocation, const Plan& plan);

// Whether waiting can help: no candidate fits now, but one would once something ends or comes back.
bool may_fit_later(const Plan& plan);

// Whether every candidate was removed by a rule of the task on trust, data residency or providers:
// there is capacity, and it is refused.
bool refused_by_policy(const Plan& plan);

}  // namespace penstock::cli
