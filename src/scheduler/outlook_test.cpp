// SPDX-License-Identifier: Apache-2.0
#include "scheduler/outlook.h"

#include <gtest/gtest.h>

namespace penstock::scheduler {
namespace {

const Time kStart = *parse_rfc3339("2026-11-24T00:30:00Z");

TEST(HourlySeries, MeansWeighPartsOfHoursByTheirLength) {
    const HourlySeries series(kStart, {10, 40, -20});
    EXPECT_EQ(series.mean(kStart, 1h), 10);
    EXPECT_EQ(series.mean(kStart + 30min, 1h), 25);
    EXPECT_EQ(series.mean(kStart, 3h), 10);
    EXPECT_EQ(series.mean(kStart + 150min, 30min), -20);
}

TEST(HourlySeries, OfNoTimeIsTheValueOfThatHour) {
    const HourlySeries series(kStart, {10, 40});
    EXPECT_EQ(series.mean(kStart + 59min, 0s), 10);
    EXPECT_EQ(series.mean(kStart + 60min, 0s), 40);
}

TEST(HourlySeries, SaysNothingOfWhatItDoesNotKnow) {
    const HourlySeries series(kStart, {10, 40});
    EXPECT_FALSE(series.mean(kStart - 1us, 1h));
    EXPECT_FALSE(series.mean(kStart + 1h, 61min));
    EXPECT_FALSE(series.mean(kStart + 2h, 0s));
    EXPECT_FALSE(HourlySeries().mean(kStart, 0s));
    EXPECT_EQ(series.until(), kStart + 2h);
}

}  // namespace
}  // namespace penstock::scheduler
