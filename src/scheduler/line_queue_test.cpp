// SPDX-License-Identifier: Apache-2.0
#include "scheduler/line_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace penstock::scheduler {
namespace {

const Time kNow{std::chrono::hours(1000)};

LineDemand demand(
    std::uint64_t batch, std::uint64_t project, std::int64_t lines, Duration expires_in
) {
    return {
        .batch = BatchId(RawId{1, batch}),
        .tenant = {OrganisationId(RawId{1, 1}), ProjectId(RawId{1, project})},
        .waiting = lines,
        .left = lines,
        .line_time = 1s,
        .expires_at = kNow + expires_in
    };
}

bool any(std::size_t) { return true; }

// The demands that the lines are of, in the order in which they are given.
std::string given(LineQueue::Turn turn, int lines, const LineQueue::Turn::Accept& accept = any) {
    std::string text;
    for (; lines > 0; --lines)
        if (const auto grant = turn.next(accept)) text += std::to_string(grant->demand);
    return text;
}

TEST(LineQueue, ProjectsTakeTurnsAndWithinOneTheFirstDeadlineGoesFirst) {
    LineQueue queue;
    EXPECT_EQ(
        given(
            {queue, "m", {demand(1, 1, 9, 9h), demand(2, 1, 2, 5h), demand(3, 2, 9, 20h)}, 1, kNow},
            6
        ),
        "121202"
    );
}

// Of that eighth the pressed project has its share as well.
TEST(LineQueue, APressedBatchGoesFirstButForAnEighthOfTheTime) {
    LineQueue queue;
    std::string all;
    for (int i = 0; i < 80; ++i)
        all += given({queue, "m", {demand(1, 1, 1000, 20min), demand(2, 2, 900, 20h)}, 1, kNow}, 1);
    EXPECT_NEAR(static_cast<double>(std::ranges::count(all, '1')), 5, 1) << all;
}

TEST(LineQueue, WhatIsNotAcceptedIsPassedOverAndCostsNothing) {
    LineQueue queue;
    const auto accept = [](std::size_t at) { return at != 0; };
    const std::vector<LineDemand> two{demand(1, 1, 5, 9h), demand(2, 2, 5, 9h)};
    EXPECT_EQ(given({queue, "m", two, 1, kNow}, 3, accept), "111");
    EXPECT_EQ(given({queue, "m", two, 1, kNow}, 1), "0");
}

TEST(LineQueue, GivesWhatWaitsAndNoMore) {
    LineQueue queue;
    EXPECT_EQ(given({queue, "m", {demand(1, 1, 2, 9h)}, 4, kNow}, 9), "00");
    EXPECT_EQ(given({queue, "m", {}, 4, kNow}, 9), "");
}

TEST(ExpectedEnds, ShareWhatThereIsAndWhoIsLeftHasAll) {
    const LineShares shares;
    const auto ends =
        expected_ends({demand(1, 1, 100, 9h), demand(2, 2, 300, 9h)}, shares, 1, kNow);
    EXPECT_NEAR(to_seconds(*ends[0] - kNow), 200, 4);
    EXPECT_NEAR(to_seconds(*ends[1] - kNow), 400, 4);
    EXPECT_FALSE(expected_ends({demand(1, 1, 100, 9h)}, shares, 0, kNow)[0]);
}

TEST(ExpectedEnds, KnowThatDeadlinesGoFirst) {
    const LineShares shares;
    const auto ends =
        expected_ends({demand(1, 1, 1000, 1200s), demand(2, 2, 1000, 9h)}, shares, 1, kNow);
    EXPECT_LT(to_seconds(*ends[0] - kNow), 1200);
    EXPECT_NEAR(to_seconds(*ends[1] - kNow), 2000, 4);
}

}  // namespace
}  // namespace penstock::scheduler
