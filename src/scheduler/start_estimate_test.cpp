// SPDX-License-Identifier: Apache-2.0
#include "scheduler/start_estimate.h"

#include <gtest/gtest.h>

#include "scheduler/queue_fixture.h"

namespace penstock::scheduler {
namespace {

std::vector<Duration> minutes(int from, int to) {
    std::vector<Duration> all;
    for (int i = from; i <= to; ++i) all.push_back(std::chrono::minutes(i));
    return all;
}

struct Estimates : testing::Test {
    EstimateInput input{.nodes = {machine(8, 8)}};
    RunTimes known{.seen = minutes(1, 100)};

    void run(std::int64_t count, RunTimes times, Duration elapsed = {}) {
        input.running.push_back({0, devices(count), elapsed, std::move(times)});
    }
    void wait(std::int64_t count, RunTimes times = {}) {
        input.waiting.push_back({{{0, devices(count)}}, std::move(times)});
    }
};

TEST_F(Estimates, WhatFitsStartsNow) {
    run(4, known);
    wait(4);

    EXPECT_EQ(estimate_wait(input).p90, Duration{0});
}

TEST_F(Estimates, FollowTheRunsOfLikeWork) {
    run(8, known);
    wait(1);

    const WaitQuantiles found = estimate_wait(input);

    EXPECT_NEAR(to_seconds(*found.p10) / 60, 10, 6);
    EXPECT_NEAR(to_seconds(*found.p50) / 60, 50, 12);
    EXPECT_NEAR(to_seconds(*found.p90) / 60, 90, 6);
}

TEST_F(Estimates, KnowThatItHasRunForAWhile) {
    run(8, known, 80min);
    wait(1);

    EXPECT_LE(*estimate_wait(input).p90, 20min);
}

TEST_F(Estimates, AddUpWhatStandsBeforeIt) {
    run(8, {.seen = minutes(60, 68)});
    wait(8, {.seen = minutes(60, 68)});
    wait(8);

    const WaitQuantiles found = estimate_wait(input);

    EXPECT_GE(*found.p10, 2h);
    EXPECT_LE(*found.p50, 2h + 16min);
}

TEST_F(Estimates, StayUnknownWhereNothingIsKnown) {
    run(8, {});
    wait(1);

    const WaitQuantiles found = estimate_wait(input);

    EXPECT_EQ(found.p10, std::nullopt);
    EXPECT_EQ(found.p90, std::nullopt);
}

TEST_F(Estimates, OfTooFewRunsKnowNoLatestStart) {
    run(8, {.seen = minutes(1, 4)});
    wait(1);

    const WaitQuantiles found = estimate_wait(input);

    EXPECT_NE(found.p50, std::nullopt);
    EXPECT_EQ(found.p90, std::nullopt);
}

TEST_F(Estimates, OfATimeLimitKnowTheLatestStartOnly) {
    run(8, {.limit = 1h}, 20min);
    wait(1);

    const WaitQuantiles found = estimate_wait(input);

    EXPECT_EQ(found.p50, std::nullopt);
    EXPECT_EQ(found.p90, 40min);
}

TEST_F(Estimates, AreUnknownBehindALongQueue) {
    run(8, known);
    for (std::size_t i = 0; i < kEstimateAheadMax + 2; ++i) wait(8, known);

    EXPECT_TRUE(estimate_wait(input).too_many);
}

}  // namespace
}  // namespace penstock::scheduler
