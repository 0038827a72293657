// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>

#include "timeshare/sharer.h"

namespace penstock::timeshare {

// What a job is worth on a kind: its rate there over its best rate, times devices ^ pressure, times
// the urgency of the job. Pressure is devices asked for over devices there are, at most one. While
// there is room for all, a second lost is a second later for any job, large or small; where there
// is not, whoever ends hands its devices to those who wait, so jobs count by their devices.
enum class Worth : std::uint8_t {
    least_left,  // urgent is who has little left, by what was declared
    throughput   // nothing is declared: urgent is who has been served little
};

// Urgency of least_left is (time left at the best rate, in rounds, plus one) ^ -kUrgency. Small on
// purpose: one would be completions a second, and short jobs would take fast devices that they
// hardly gain from, at a loss of throughput to all. Zero would be throughput alone, and nobody
// first in a queue.
constexpr double kUrgency = 0.05;

// Urgency of throughput falls by kServedLoss at each of these. Who has run for long will probably
// run for long, where most jobs are short and some very long; few levels, so that jobs which have
// passed one do not take turns by the round.
constexpr std::array<double, 2> kServedLevels = {3600, 36000};  // Job::served_s
constexpr double kServedLoss = 0.03;

// A job that has not run for this long gets a round before all others.
constexpr double kPatienceS = 24 * 3600;
// Part of its worth that a job would lose by moving to another kind beside the time that takes:
// equal choices leave jobs where they are.
constexpr double kMoveLoss = 1e-3;

// Of the bound that prices give (prices.h); a choice that falls shorter is made in other ways too.
constexpr double kShortfallMax = 0.03;

// Chooses a whole assignment for one round: those out of patience, then by what a job leaves above
// the price of its devices (prices.h), then moves, swaps and exchanges of one for several while
// they raise the sum of worths; once more in another order where the bound is far. `last` is where
// each job ran in the round before. Refuses what check() refuses.
//   With nobody out of patience the sum of worths is
//   - the best there is, with up to kSearchedJobsMax jobs on up to three kinds: a search
//     (assignment.h) comes to the end;
//   - else at least 1 − kShortfallMax of the best, or what the best assignment that may cut jobs is
//     worth less one job for each kind: it is rounded, with up to kCutPairsMax pairs.
Result<Places> choose(Worth worth, const Problem& problem, const Places& last);

}  // namespace penstock::timeshare
