// SPDX-License-Identifier: Apache-2.0
#include "timeshare/rounds.h"

#include <gtest/gtest.h>

namespace penstock::timeshare {
namespace {

const Problem kOneDevice{.kinds = {{.devices = 1}}, .jobs = {{.rate = {1}}, {.rate = {1}}}};

TEST(Rounds, ReceivedTimeFollowsTheShares) {
    Rounds rounds;
    rounds.set(kOneDevice, {7, 8}, {{0.75}, {0.25}});

    std::size_t first = 0;
    for (int i = 0; i < 400; ++i) first += rounds.next() == std::vector<Grant>{{7, 0}};

    EXPECT_EQ(first, 300U);
    EXPECT_NEAR(rounds.owed_s(7, 0), 0, to_seconds(kRound));
}

TEST(Rounds, GivesDevicesThatAreLeftToWhoRunsBestThere) {
    const Problem problem{
        .kinds = {{.devices = 1}, {.devices = 1}}, .jobs = {{.rate = {4, 1}}, {.rate = {4, 2}}}
    };
    Rounds rounds;
    rounds.set(problem, {1, 2}, {{1, 0}, {0, 0}});

    const std::vector<Grant> grants = rounds.next();

    EXPECT_EQ(grants, (std::vector<Grant>{{1, 0}, {2, 1}}));
}

TEST(Rounds, KeepsAGangWholeAndFillsBesideIt) {
    const Problem problem{
        .kinds = {{.devices = 3}},
        .jobs = {{.devices = 2, .rate = {1}}, {.devices = 2, .rate = {1}}, {.rate = {1}}}
    };
    Rounds rounds;
    rounds.set(problem, {1, 2, 3}, {{0.5}, {0.5}, {1}});

    const std::vector<Grant> grants = rounds.next();

    EXPECT_EQ(grants, (std::vector<Grant>{{3, 0}, {1, 0}}));
}

}  // namespace
}  // namespace penstock::timeshare
