// SPDX-License-Identifier: Apache-2.0
#include "routing/usage_habit.h"

#include <gtest/gtest.h>

namespace penstock::routing {
namespace {

constexpr UsageSample kTypical{
    .input_told = 120, .input_seen = 100, .output_told = 30, .output_seen = 20
};

TEST(UsageHabit, SaysNothingOfAnEngineThatHasNotShownEnough) {
    UsageHabit habit;
    for (int i = 1; i < UsageHabit::kCallsMin; ++i) habit.add(kTypical);
    EXPECT_EQ(habit.output(10), std::nullopt);
    EXPECT_EQ(habit.input(10), std::nullopt);
    habit.add(kTypical);
    EXPECT_EQ(habit.output(10), 15);
    EXPECT_EQ(habit.input(10), 12);
}

TEST(UsageHabit, RoundsDown) {
    UsageHabit habit;
    for (int i = 0; i < UsageHabit::kCallsMin; ++i) habit.add(kTypical);
    EXPECT_EQ(habit.output(1), 1);
    EXPECT_EQ(habit.output(3), 4);
    EXPECT_EQ(habit.output(0), 0);
}

TEST(UsageHabit, FollowsAnEngineThatChanges) {
    UsageHabit habit;
    for (int i = 0; i < UsageHabit::kCallsMax; ++i) habit.add(kTypical);
    const UsageSample plain{
        .input_told = 100, .input_seen = 100, .output_told = 20, .output_seen = 20
    };
    for (int i = 0; i < 20 * UsageHabit::kCallsMax; ++i) habit.add(plain);
    EXPECT_LE(habit.calls(), UsageHabit::kCallsMax);
    EXPECT_EQ(habit.output(1000), 1000);
}

TEST(UsageHabit, PassesOverWhatSaysNothing) {
    UsageHabit habit;
    for (int i = 0; i < 2 * UsageHabit::kCallsMin; ++i) {
        habit.add({.input_told = 0, .input_seen = 100, .output_told = 30, .output_seen = 20});
        habit.add(
            {.input_told = 9, .input_seen = 9, .output_told = INT64_MAX, .output_seen = INT64_MAX}
        );
    }
    EXPECT_EQ(habit.calls(), 0);
}

TEST(UsageHabit, NumbersFromOutsideDoNotOverflow) {
    UsageHabit habit;
    for (int i = 0; i < UsageHabit::kCallsMin; ++i)
        habit.add(
            {.input_told = UsageHabit::kTokensMax,
             .input_seen = 1,
             .output_told = UsageHabit::kTokensMax,
             .output_seen = 1}
        );
    EXPECT_EQ(habit.output(INT64_MAX), INT64_MAX);
}

}  // namespace
}  // namespace penstock::routing
