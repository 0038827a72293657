// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <array>
#include <cmath>

#include "scheduler/objective.h"
#include "scheduler/plan_fixture.h"

namespace penstock::scheduler {
namespace {

// RapidCheck shrinks ranges with the size of a case; small cases are to be as mixed as large ones.
int below(int bound) { return *rc::gen::resize(1'000, rc::gen::inRange(0, bound)); }

Terms random_terms() {
    Terms terms;
    if (below(8) != 0) terms.cost = Money::micro(below(10) == 0 ? below(100) : below(100'000'000));
    if (below(8) != 0) terms.duration_s = below(100'000) / 10.0;
    terms.security = below(5) / 4.0;
    if (below(8) != 0) terms.latency_ms = below(1000) / 4.0;
    if (below(8) != 0) terms.carbon_g = below(100'000) / 100.0;
    return terms;
}

std::vector<Candidate> random_candidates() {
    std::vector<Candidate> all(static_cast<std::size_t>(1 + below(6)));
    for (Candidate& candidate : all) {
        candidate.terms = random_terms();
        if (below(6) == 0) candidate.filter = FilterReason::node_cordoned;
    }
    return all;
}

Strategy random_strategy() {
    if (const int pure = below(10); pure < 5) {
        Strategy strategy;
        std::array<double*, 5> of = {
            &strategy.cost, &strategy.duration, &strategy.security, &strategy.latency,
            &strategy.green
        };
        *of.at(static_cast<std::size_t>(pure)) = 1;
        return strategy;
    }
    std::array<int, 5> parts = {below(100), below(100), below(100), below(100), 1 + below(100)};
    double sum = 0;
    for (const int part : parts) sum += part;
    return {parts[0] / sum, parts[1] / sum, parts[2] / sum, parts[3] / sum, parts[4] / sum};
}

std::optional<std::size_t> winner(
    const std::vector<Candidate>& candidates, const Strategy& strategy
) {
    const Objective objective =
        rank(candidates, std::vector<std::size_t>(candidates.size()), strategy);
    return objective.order.empty() ? std::nullopt : std::optional(objective.order[0].candidate);
}

// The definition, in floating point and without any sorting: Σ weight × ln(1 + regret).
double plain_score(
    const std::vector<Candidate>& candidates, std::size_t i, const std::array<double, 5>& weights
) {
    double score = 0;
    for (std::size_t t = 0; t < kTermCount; ++t) {
        std::optional<double> best;
        for (const Candidate& each : candidates)
            if (each.filter == FilterReason::none)
                if (const auto value = values_of(each.terms)[t]; value && (!best || *value < *best))
                    best = value;
        const auto own = values_of(candidates[i].terms)[t];
        const double regret = own ? (*own - *best) / std::max(*best, kFloors[t]) : 1000.0;
        score += weights[t] * std::log1p(std::min(1000.0, regret));
    }
    return score;
}

TEST(ObjectiveProperty, NoFeasibleCandidateHasALowerMixtureThanTheWinner) {
    EXPECT_TRUE(rc::check([] {
        const std::vector<Candidate> candidates = random_candidates();
        const Strategy s = random_strategy();
        const std::array<double, 5> weights = {s.cost, s.duration, s.security, s.latency, s.green};
        RC_PRE(std::ranges::max(weights) < 0.999);
        const auto first = winner(candidates, s);
        for (std::size_t i = 0; i < candidates.size(); ++i)
            if (candidates[i].filter == FilterReason::none)
                RC_ASSERT(
                    plain_score(candidates, *first, weights) <=
                    plain_score(candidates, i, weights) + 1e-5
                );
    }));
}

// Above the floors a mixture is a weighted product: nothing else of the candidates enters, so one
// that is added or taken away, however bad or good, never turns the order of the others.
TEST(ObjectiveProperty, OthersDoNotTurnTheOrderOfTwo) {
    EXPECT_TRUE(rc::check([] {
        std::vector<Candidate> candidates(3);
        for (Candidate& each : candidates)
            each.terms = {
                .cost = Money::micro(10'000 + below(100'000'000)),
                .duration_s = 1 + below(100'000) / 10.0,
                .security = 0.05 + below(95) / 100.0,
                .latency_ms = 1 + below(1000) / 4.0,
                .carbon_g = 1 + below(100'000) / 100.0
            };
        const Strategy s = random_strategy();
        const std::array<double, 5> weights = {s.cost, s.duration, s.security, s.latency, s.green};
        RC_PRE(std::ranges::max(weights) < 0.999);
        const auto far_apart = [&](const std::vector<Candidate>& all) {
            return std::abs(plain_score(all, 0, weights) - plain_score(all, 1, weights)) > 1e-4;
        };
        const auto regret_of = [&](std::size_t i, std::size_t t) {
            const double best = *values_of(candidates[2].terms)[t];
            return (*values_of(candidates[i].terms)[t] - best) / best;
        };
        for (std::size_t t = 0; t < kTermCount; ++t)
            RC_PRE(regret_of(0, t) < 999 && regret_of(1, t) < 999);
        RC_PRE(far_apart(candidates));
        const std::vector<Candidate> two(candidates.begin(), candidates.begin() + 2);
        const auto order = rank(candidates, {0, 0, 0}, s).order;
        const auto before = [&](std::size_t i) {
            return std::ranges::find(order, i, &Scored::candidate);
        };
        RC_ASSERT((before(0) < before(1)) == (winner(two, s) == 0));
    }));
}

TEST(ObjectiveProperty, APureStrategyIsNeverBeatenOnItsOwnTermByMoreThanFivePercent) {
    EXPECT_TRUE(rc::check([] {
        const std::vector<Candidate> candidates = random_candidates();
        Strategy s;
        std::array<double*, 5> of = {&s.cost, &s.duration, &s.security, &s.latency, &s.green};
        const auto t = static_cast<std::size_t>(below(5));
        *of.at(t) = 1;
        const auto first = winner(candidates, s);
        RC_PRE(first.has_value());
        const auto mine = values_of(candidates[*first].terms)[t];
        for (const Candidate& each : candidates) {
            const auto value = values_of(each.terms)[t];
            if (each.filter != FilterReason::none || !value) continue;
            RC_ASSERT(mine.has_value());
            RC_ASSERT(*mine <= *value + 0.05001 * std::max(*value, kFloors[t]));
        }
    }));
}

TEST(ObjectiveProperty, ATermImprovedAloneNeverLosesTheWin) {
    EXPECT_TRUE(rc::check([] {
        std::vector<Candidate> candidates = random_candidates();
        const Strategy strategy = random_strategy();
        const auto first = winner(candidates, strategy);
        RC_PRE(first.has_value());
        Terms& terms = candidates[*first].terms;
        const double share = below(1000) / 1000.0;
        const auto improve = [&](std::optional<double>& value, double unknown) {
            value = value ? *value * share : unknown;
        };
        switch (below(5)) {
            case 0:
                terms.cost = Money::micro(
                    terms.cost ? terms.cost->micro() * below(1000) / 1000 : below(1'000'000)
                );
                break;
            case 1:
                improve(terms.duration_s, below(1000));
                break;
            case 2:
                improve(terms.security, 0);
                break;
            case 3:
                improve(terms.latency_ms, below(100));
                break;
            default:
                improve(terms.carbon_g, below(100));
        }
        RC_ASSERT(winner(candidates, strategy) == first);
    }));
}

TEST(ObjectiveProperty, UnitsDoNotMatterAboveTheFloors) {
    EXPECT_TRUE(rc::check([] {
        std::vector<Candidate> candidates = random_candidates();
        for (Candidate& each : candidates) {
            if (each.terms.cost) each.terms.cost = Money::micro(each.terms.cost->micro() + 10'000);
            if (each.terms.carbon_g) *each.terms.carbon_g += 1;
        }
        std::vector<Candidate> scaled = candidates;
        for (Candidate& each : scaled) {
            if (each.terms.cost) each.terms.cost = Money::micro(each.terms.cost->micro() * 7);
            if (each.terms.carbon_g) *each.terms.carbon_g *= 1024;
        }
        const Strategy strategy = random_strategy();
        RC_ASSERT(winner(candidates, strategy) == winner(scaled, strategy));
    }));
}

TEST(PlanProperty, IsTheSameInWhateverOrderTheSuppliesCome) {
    EXPECT_TRUE(rc::check([] {
        Cluster c;
        for (int i = below(5); i > 0; --i)
            c.add(
                "more-" + std::to_string(below(3)), "0.0000" + std::to_string(1 + below(9)),
                below(900), below(40), TrustLevel::basic, {}
            );
        for (std::size_t i = 0; i < c.nodes.size(); ++i) {
            if (below(4) == 0) c.sites[i].spec.rtt_ms.reset();
            if (below(4) == 0) c.nodes[i].cordoned = true;
            if (below(3) == 0) c.avoid.push_back(c.nodes[i].id);
        }
        c.spec.placement->optimize = random_strategy();
        RC_ASSERT(c.plan(false) == c.plan(true));
    }));
}

}  // namespace
}  // namespace penstock::scheduler
