// SPDX-License-Identifier: Apache-2.0
#include "scheduler/objective.h"

#include <algorithm>
#include <cmath>
#include <tuple>

namespace penstock::scheduler {
namespace {

std::array<std::int64_t, kTermCount> weights_of(const Strategy& strategy) {
    std::array<std::int64_t, kTermCount> weights{};
    const std::array<double, kTermCount> given = {
        strategy.cost, strategy.duration, strategy.security, strategy.latency, strategy.green
    };
    for (std::size_t t = 0; t < kTermCount; ++t)
        weights[t] = std::llround(given[t] * static_cast<double>(kOne));
    return weights;
}

Values best_of(const std::vector<Candidate>& candidates) {
    Values best;
    for (const Candidate& candidate : candidates) {
        if (candidate.filter != FilterReason::none) continue;
        const Values values = values_of(candidate.terms);
        for (std::size_t t = 0; t < kTermCount; ++t)
            if (values[t] && (!best[t] || *values[t] < *best[t])) best[t] = values[t];
    }
    return best;
}

}  // namespace

// For comparing only: what is charged never passes through here.
Values values_of(const Terms& terms) {
    constexpr double kYuanPerMicro = 1e-6;
    const std::optional<double> cost =
        terms.cost ? std::optional(static_cast<double>(terms.cost->micro()) * kYuanPerMicro)
                   : std::nullopt;
    return {cost, terms.duration_s, terms.security, terms.latency_ms, terms.carbon_g};
}

std::int64_t regret(std::optional<double> value, std::optional<double> best, double floor) {
    if (!value || !best) return kRegretMax;
    const double ratio = (*value - *best) / std::max(*best, floor);
    constexpr double kCut = static_cast<double>(kRegretMax) / static_cast<double>(kOne);
    return ratio >= kCut ? kRegretMax : std::llround(ratio * static_cast<double>(kOne));
}

// By frexp and a series, which are exact in the same way everywhere; std::log differs in its last
// bit between libraries.
std::int64_t loss(std::int64_t regret) {
    constexpr double kLn2 = 0.69314718055994530942;
    constexpr int kSeriesTerms = 20;
    int exponent = 0;
    const double part =
        std::frexp(1 + static_cast<double>(regret) / static_cast<double>(kOne), &exponent);
    // ln(part) = 2 artanh((part − 1) / (part + 1)), part in ½…1
    const double x = (part - 1) / (part + 1);
    double power = x;
    double sum = 0;
    for (int i = 0; i < kSeriesTerms; ++i) {
        sum += power / (2 * i + 1);
        power *= x * x;
    }
    return std::llround((2 * sum + exponent * kLn2) * static_cast<double>(kOne));
}

Objective rank(
    const std::vector<Candidate>& candidates, const std::vector<std::size_t>& preferences,
    const Strategy& strategy
) {
    Objective result{.weights = weights_of(strategy), .best = best_of(candidates)};
    if (const auto pure = std::ranges::find(result.weights, kOne); pure != result.weights.end()) {
        result.pure = static_cast<Term>(pure - result.weights.begin());
        result.weights.fill(kOne / (kTermCount - 1));
        *pure = 0;
    }
    for (std::size_t i = 0; i < candidates.size(); ++i) {
        if (candidates[i].filter != FilterReason::none) continue;
        Scored scored{.candidate = i, .preference = preferences[i]};
        const Values values = values_of(candidates[i].terms);
        for (std::size_t t = 0; t < kTermCount; ++t) {
            scored.regrets[t] = regret(values[t], result.best[t], kFloors[t]);
            scored.losses[t] = loss(scored.regrets[t]);
            scored.score += result.weights[t] * scored.losses[t];
        }
        if (result.pure && result.best[static_cast<std::size_t>(*result.pure)]) {
            const std::int64_t own = scored.regrets[static_cast<std::size_t>(*result.pure)];
            scored.outside = own > kPureRegretMax;
            if (scored.outside) scored.score = own * kOne;
        }
        result.order.push_back(scored);
    }
    std::ranges::sort(result.order, {}, [](const Scored& s) {
        return std::tuple(s.preference, s.outside, s.score, s.candidate);
    });
    return result;
}

double shown_score(const Scored& scored) {
    constexpr double kPerOne = static_cast<double>(kOne) * static_cast<double>(kOne);
    const double score = static_cast<double>(scored.score) / kPerOne;
    return scored.outside ? kLossShownMax + score : score;
}

}  // namespace penstock::scheduler
