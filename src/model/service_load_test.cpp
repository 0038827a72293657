// SPDX-License-Identifier: Apache-2.0
#include "model/service_load.h"

#include <gtest/gtest.h>

namespace penstock {
namespace {

SpanCounts counted(std::initializer_list<Duration> spans) {
    SpanCounts counts;
    for (const Duration span : spans) counts.count(span);
    return counts;
}

TEST(SpanCounts, APercentileIsWithinItsClassOfTheTruth) {
    SpanCounts counts;
    for (int ms = 1; ms <= 1000; ++ms) counts.count(std::chrono::milliseconds(ms));
    const double seconds = to_seconds(*counts.percentile(0.95, 1));
    EXPECT_GT(seconds, 0.95 / 1.19);
    EXPECT_LT(seconds, 0.95 * 1.19);
}

TEST(SpanCounts, OfSeveralGatewaysAddUp) {
    SpanCounts sum = counted({10ms, 20ms});
    sum.add(counted({20ms, 4s}));
    EXPECT_EQ(sum, counted({20ms, 4s, 10ms, 20ms}));
    EXPECT_EQ(sum.total(), 4);
}

TEST(SpanCounts, TheLastStateLessAnEarlierOneIsWhatCameBetween) {
    const SpanCounts earlier = counted({10ms});
    SpanCounts later = earlier;
    later.count(3s);
    EXPECT_EQ(later.since(earlier).total(), 1);
    EXPECT_GT(*later.since(earlier).percentile(0.5, 1), 2s);
}

TEST(SpanCounts, OfTooFewSamplesTellNothing) {
    EXPECT_FALSE(counted({10ms, 20ms}).percentile(0.95, 3));
    EXPECT_FALSE(SpanCounts().percentile(0.95, 0));
}

TEST(SpanCounts, TakeSpansBeyondTheirRange) {
    const SpanCounts counts = counted({0s, std::chrono::hours(5)});
    EXPECT_EQ(counts.total(), 2);
    EXPECT_EQ(counts.counts.size(), SpanCounts::kClasses);
}

}  // namespace
}  // namespace penstock
