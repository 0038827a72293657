// SPDX-License-Identifier: Apache-2.0
#include "routing/attempt_plan.h"

#include <gtest/gtest.h>

namespace penstock::routing {
namespace {

TEST(AttemptPlan, LeavesTimeForOneMoreAttempt) {
    EXPECT_EQ(first_content_within(0, 10s), 8s - 4 * kBackOffFirst);
    for (const int number : {1, 2}) {
        SeededRandom random(7);
        const Duration left = 10s - first_content_within(number - 1, 10s);
        for (int i = 0; i < 1000; ++i) EXPECT_TRUE(back_off(number, std::nullopt, left, random));
    }
    EXPECT_EQ(first_content_within(0, 10min), kFirstContentMax);
    EXPECT_EQ(first_content_within(0, 3s), 3s);
    EXPECT_EQ(first_content_within(kAttemptsMax - 1, 10s), 10s);
    EXPECT_EQ(first_content_within(1, -1s), 0s);
}

TEST(AttemptPlan, AnAnswerThatComesWholeMayTakeAllTimeButThatOfOneMore) {
    EXPECT_EQ(attempt_within(0, 10min), 10min - kAttemptReserve - 4 * kBackOffFirst);
    EXPECT_EQ(attempt_within(0, 3s), 3s);
    EXPECT_EQ(attempt_within(kAttemptsMax - 1, 10min), 10min);
}

TEST(AttemptPlan, WaitsADrawnTimeWithinADoublingBound) {
    SeededRandom random(7);
    Duration longest{};
    for (int i = 0; i < 1000; ++i)
        longest = std::max(longest, *back_off(3, std::nullopt, 1min, random));
    EXPECT_LT(longest, 4 * kBackOffFirst);
    EXPECT_GT(longest, 3 * kBackOffFirst);
}

TEST(AttemptPlan, HonoursRetryAfterIfItFits) {
    SeededRandom random(7);
    EXPECT_EQ(back_off(1, Duration(5s), 1min, random), Duration(5s));
    EXPECT_EQ(back_off(1, Duration(5s), 6s, random), std::nullopt);
    EXPECT_EQ(back_off(1, kRetryAfterMax + 1s, 1min, random), std::nullopt);
}

TEST(AttemptPlan, StartsNoAttemptThatCannotFinish) {
    SeededRandom random(7);
    EXPECT_EQ(back_off(1, std::nullopt, kAttemptReserve - 1ms, random), std::nullopt);
}

TEST(RetryBudget, AllowsATenthOfTheCalls) {
    RetryBudget budget;
    int allowed = 0;
    while (budget.try_retry()) ++allowed;
    EXPECT_EQ(allowed, RetryBudget::kTokensMax / RetryBudget::kCallsPerRetry);
    for (int i = 0; i < RetryBudget::kCallsPerRetry; ++i) budget.on_call();
    EXPECT_TRUE(budget.try_retry());
    EXPECT_FALSE(budget.try_retry());
}

}  // namespace
}  // namespace penstock::routing
