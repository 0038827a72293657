// SPDX-License-Identifier: Apache-2.0
#include "scheduler/line_deadlines.h"

#include <gtest/gtest.h>

#include <string>

namespace penstock::scheduler {
namespace {

const Time kNow{std::chrono::hours(1000)};

LineDemand demand(std::uint64_t project, std::int64_t lines, Duration in) {
    static std::uint64_t next = 0;
    return {
        .batch = BatchId(RawId{1, ++next}),
        .tenant = {OrganisationId(RawId{1, 1}), ProjectId(RawId{1, project})},
        .waiting = lines,
        .left = lines,
        .line_time = 1s,
        .expires_at = kNow + in
    };
}

std::string shown(const std::vector<LineDemand>& demands, double places) {
    std::string text;
    for (const LinePressure pressure : pressure_of(demands, places, kNow))
        text += pressure == LinePressure::none      ? "none "
                : pressure == LinePressure::pressed ? "pressed "
                                                    : "late ";
    return text;
}

TEST(LinePressure, NothingPressesWhileThereIsTimeForAll) {
    EXPECT_EQ(shown({demand(1, 100, 10min), demand(2, 100, 20min)}, 1), "none none ");
}

TEST(LinePressure, ADeadlineWithoutSlackPressesAndAllBeforeIt) {
    // 1,000 lines are to be done within 1,200 seconds, of which seven eighths count.
    EXPECT_EQ(
        shown({demand(1, 950, 20min), demand(2, 50, 10min), demand(3, 10, 2h)}, 1),
        "pressed pressed none "
    );
    EXPECT_EQ(
        shown({demand(1, 950, 20min), demand(2, 50, 10min), demand(3, 10, 2h)}, 4),
        "none none none "
    );
}

TEST(LinePressure, WhatCannotBeInTimeIsGivenUpByTheProjectThatAsksForMost) {
    EXPECT_EQ(shown({demand(1, 5000, 20min), demand(2, 1000, 20min)}, 1), "late pressed ");
    // Cut into many it is still one project's.
    EXPECT_EQ(
        shown(
            {demand(1, 700, 20min), demand(1, 700, 20min), demand(1, 700, 20min),
             demand(2, 1000, 20min)},
            1
        ),
        "late late late pressed "
    );
}

TEST(LinePressure, WithoutPlacesNothingIsJudged) {
    EXPECT_EQ(shown({demand(1, 5000, 1min)}, 0), "none ");
}

}  // namespace
}  // namespace penstock::scheduler
