// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "timeshare/prices.h"
#include "timeshare/sharer.h"

// Two ways to a good assignment of jobs to kinds with a known distance to the best one; choice.h
// takes them where its own way ends short of the bound.
namespace penstock::timeshare {

// The best assignment that may cut jobs in parts, by the linear program.
struct CutAssignment {
    Places whole;      // jobs that it does not cut; nobody else has a place
    double worth = 0;  // with the parts: no assignment is worth more in sum
};
// A vertex of the program cuts no more jobs than there are kinds, so the whole ones are worth its
// worth less what as many jobs are worth at most.
Result<CutAssignment> cut_assignment(const Problem& problem, const Worths& worths);
// Beyond so many pairs of a job and a kind it takes too long while a server waits.
constexpr std::size_t kCutPairsMax = 20'000;

// An assignment that is worth more than `known`, by branch and bound under the prices; nothing
// where none was found within kSearchSteps. Jobs in `kept` stay where `known` has them. With at
// most kSearchedJobsMax jobs on three kinds, and as a rule beyond, it comes to the end: then what
// it found, or `known`, is the best there is.
std::optional<Places> search_better(
    const Problem& problem, const Worths& worths, const DevicePrices& prices, const Places& known,
    const std::vector<bool>& kept
);
constexpr std::size_t kSearchedJobsMax = 8;
constexpr std::size_t kSearchSteps = 100'000;  // > 4 ^ kSearchedJobsMax × 4 / 3

}  // namespace penstock::timeshare
