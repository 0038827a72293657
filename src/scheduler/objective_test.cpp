// SPDX-License-Identifier: Apache-2.0
#include "scheduler/objective.h"

#include <gtest/gtest.h>

namespace penstock::scheduler {
namespace {

Candidate with(double cost, double duration, double latency, double carbon) {
    return {
        .terms =
            {.cost = Money::micro(static_cast<std::int64_t>(cost * 1e6)),
             .duration_s = duration,
             .security = 0,
             .latency_ms = latency,
             .carbon_g = carbon}
    };
}

TEST(Loss, IsTheLogarithmOfOnePlusTheRegret) {
    EXPECT_EQ(loss(0), 0);
    EXPECT_EQ(loss(kOne / 20), 48'790);
    EXPECT_EQ(loss(kOne), 693'147);
    EXPECT_EQ(loss(4 * kOne), 1'609'438);
    EXPECT_EQ(loss(kRegretMax), 6'908'755);
}

TEST(Loss, NeverFallsAsTheRegretGrows) {
    for (std::int64_t regret = 0; regret < kRegretMax; regret += 1 + regret / 100)
        EXPECT_LE(loss(regret), loss(regret + 1)) << regret;
}

// A hundred times the latency against a twentieth of the grams: ratios decide, however large.
TEST(Balanced, WeighsRatiosThatAreFarFromTheBest) {
    const std::vector<Candidate> candidates = {with(1, 100, 1, 1000), with(1, 100, 100, 50)};
    EXPECT_EQ(rank(candidates, {0, 0}, balanced_strategy()).order[0].candidate, 0);
}

// A tenth more of three terms is less than twice as much of one.
TEST(Balanced, GivesALittleOfSeveralTermsForHalfOfAnother) {
    const std::vector<Candidate> candidates = {with(1, 100, 10, 200), with(1.1, 110, 11, 100)};
    EXPECT_EQ(rank(candidates, {0, 0}, balanced_strategy()).order[0].candidate, 1);
}

}  // namespace
}  // namespace penstock::scheduler
