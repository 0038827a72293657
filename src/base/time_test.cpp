// SPDX-License-Identifier: Apache-2.0
#include "base/time.h"

#include <gtest/gtest.h>

namespace penstock {
namespace {

std::string again(std::string_view text) {
    const Result<Time> time = parse_rfc3339(text);
    return time ? to_rfc3339(*time) : "error";
}

TEST(Time, ReadsOffsetsAndPrintsUtc) {
    EXPECT_EQ(again("2026-12-01T08:00:00+08:00"), "2026-12-01T00:00:00Z");
    EXPECT_EQ(again("2026-12-01T08:00:00.25Z"), "2026-12-01T08:00:00.25Z");
}
TEST(Time, RefusesATimeWithoutOffset) {
    EXPECT_EQ(again("2026-12-01T08:00:00"), "error");
    EXPECT_EQ(again("2026-02-30T08:00:00Z"), "error");
    EXPECT_EQ(again("2026-12-01"), "error");
}
TEST(Duration, ReadsUnitsAndSums) {
    EXPECT_EQ(parse_duration("1h30m"), Duration(90min));
    EXPECT_EQ(parse_duration("7d"), Duration(168h));
    EXPECT_EQ(to_string(Duration(90min)), "1h30m");
    EXPECT_EQ(to_string(Duration(250ms)), "250ms");
}
TEST(Duration, RefusesBareNumbersAndOverflow) {
    EXPECT_FALSE(parse_duration("10"));
    EXPECT_FALSE(parse_duration(""));
    EXPECT_FALSE(parse_duration("999999999999999d"));
    EXPECT_FALSE(parse_duration("-1s"));
}

}  // namespace
}  // namespace penstock
