// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "model/plan.h"

namespace penstock::scheduler {

enum class Term : std::uint8_t { cost, duration, security, latency, green };
constexpr std::size_t kTermCount = 5;
using Values = std::array<std::optional<double>, kTermCount>;  // yuan, s, share, ms, g
Values values_of(const Terms& terms);

// Regrets, losses and weights are counted in millionths: sums of integers are the same on every
// machine.
constexpr std::int64_t kOne = 1'000'000;
constexpr std::int64_t kRegretMax = 1000 * kOne;
constexpr std::int64_t kPureRegretMax =
    kOne / 20;  // a pure strategy gives this much of its own term for the rest
constexpr std::array<double, kTermCount> kFloors = {0.01, 1, 0.05, 1, 1};

// (value − best) / max(best, floor), cut at kRegretMax; an unknown term costs that much.
std::int64_t regret(std::optional<double> value, std::optional<double> best, double floor);
// ln(1 + regret), so ln(value / best) above the floor: twice as much costs the same wherever a term
// stands, and sums of losses order candidates as weighted products of their values do.
std::int64_t loss(std::int64_t regret);

struct Scored {
    std::size_t candidate = 0;   // index into the candidates
    std::size_t preference = 0;  // place of its accelerator in a list; 0 for sets
    std::array<std::int64_t, kTermCount> regrets{};
    std::array<std::int64_t, kTermCount> losses{};
    bool outside = false;  // beyond what a pure strategy gives away
    std::int64_t score =
        0;  // Σ weight × loss, in 10⁻¹²; outside: regret of the strategy's own term
};

// How a strategy decides. Mixture: least Σ weight × loss. Pure (one weight is 1): of the
// candidates within 5 % regret of the best in its own term the least sum of the other four at equal
// weights; the rest follow by their own term. Where nobody's own term is known, all are kept.
struct Objective {
    std::array<std::int64_t, kTermCount> weights{
    };  // as used: for a pure strategy those of the rest
    std::optional<Term> pure;
    Values best;                // of each term, over the feasible candidates
    std::vector<Scored> order;  // feasible ones, best first; equal scores by index
};
// `preferences` stands beside `candidates`. Those with a filter take no part.
Objective rank(
    const std::vector<Candidate>& candidates, const std::vector<std::size_t>& preferences,
    const Strategy& strategy
);

// The number that is shown: weighted loss, 0…kLossShownMax; what a pure strategy left out has the
// regret of its own term on top of that.
constexpr double kLossShownMax = 7;
double shown_score(const Scored& scored);

}  // namespace penstock::scheduler
