// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "scheduler/filter.h"
#include "scheduler/objective.h"

namespace penstock::scheduler {

// A node with an accelerator, judged. `failing` says more than Candidate::filter, which is only the
// first.
struct Judged {
    Candidate candidate;
    std::size_t preference = 0;  // place of its accelerator in an ordered list; 0 for sets
    ReasonSet failing;
    const Supply* supply = nullptr;
};

// Why the first of `objective.order` won, what was second, and what would flip it.
Text explain_choice(
    const std::vector<Judged>& judged, const Objective& objective, const Input& input
);
// Why nothing can take it: how many nodes each filter removed, the nearest one and its remedy.
Text explain_refusal(const std::vector<Judged>& judged, const Filters& filters);
// "1 unreachable (centre/n2: …); 2 short of free memory (…)".
Text count_refusals(const std::vector<Judged>& judged, const Filters& filters);

// Chooses the members of a gang among the candidates, marks them in the plan and puts them first,
// by rank; sets `gang` and whether the plan is feasible. Says why they, or why not.
Text plan_gang(
    Plan& plan, const std::vector<Judged>& judged, const Objective& objective,
    const Filters& filters, const Input& input
);

}  // namespace penstock::scheduler
