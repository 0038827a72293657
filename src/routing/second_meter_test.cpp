// SPDX-License-Identifier: Apache-2.0
#include "routing/second_meter.h"

#include <gtest/gtest.h>

namespace penstock::routing {
namespace {

CallRecord call(std::int64_t input, std::int64_t output, TextTokens counted) {
    CallRecord record;
    record.tokens = {.input_fresh = input, .output_visible = output};
    record.counted = std::move(counted);
    return record;
}

TEST(SecondMeter, AddsUpBothCountsAndKeepsTheLargestDifference) {
    SecondMeter meter;
    add(meter, call(40, 10, {.input = 30, .output_visible = 10}));
    add(meter, call(100, 200, {.input = 90, .output_visible = 150, .output_reasoning = 49}));
    EXPECT_EQ(
        meter, (SecondMeter{
                   .calls = 2,
                   .input_told = 140,
                   .input_counted = 120,
                   .output_told = 210,
                   .output_counted = 209,
                   .input_difference_max = 2500,
                   .output_difference_max = 50,
                   .output_difference_call = to_string(RequestId()),
               })
    );
}

TEST(SecondMeter, CountsEveryClassThatTheEngineTold) {
    CallRecord record = call(1, 2, {.input = 10, .output_visible = 5});
    record.tokens.cache_read = 4;
    record.tokens.cache_write_1h = 5;
    record.tokens.output_reasoning = 3;
    const BothCounts both = *both_counts(record);
    EXPECT_EQ(both.input_told, 10);
    EXPECT_EQ(both.output_told, 5);
}

TEST(SecondMeter, LeavesOutWhatHasNotTwoCounts) {
    CallRecord cut = call(40, 10, {.input = 30, .output_visible = 10});
    cut.end_reason = EndReason::client_gone;
    CallRecord counted = call(40, 10, {.input = 30, .output_visible = 10});
    counted.basis = UsageBasis::counted;
    CallRecord alone = call(40, 10, {});
    alone.counted.reset();
    EXPECT_FALSE(both_counts(cut));
    EXPECT_FALSE(both_counts(counted));
    EXPECT_FALSE(both_counts(alone));
    EXPECT_FALSE(both_counts(call(40, 10, {.output_visible = 10})));
    EXPECT_FALSE(both_counts(call(40, 10, {.input = 30})));
}

TEST(SecondMeter, ADifferenceIsAShareOfWhatWasTold) {
    EXPECT_EQ(difference(200, 199), 50);
    EXPECT_EQ(difference(199, 200), 50);
    EXPECT_EQ(difference(0, 3), 30'000);
    EXPECT_EQ(difference(7, 7), 0);
}

}  // namespace
}  // namespace penstock::routing
