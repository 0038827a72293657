// SPDX-License-Identifier: Apache-2.0
#include "sim/hourly.h"

#include <gtest/gtest.h>

namespace penstock::sim {
namespace {

const Time kStart = *parse_rfc3339("2024-01-01T00:00:00Z");

Result<scheduler::HourlySeries> read(std::string_view text, const std::string& column = "") {
    return read_hourly(Csv::parse(text, "h.csv").value(), column, 0.001);
}

TEST(Hourly, ReadsTimesWithAndWithoutAnOffset) {
    const auto plain = read("time,v\n2024-01-01 00:00:00,10\n2024-01-01 01:00:00,-20\n");
    ASSERT_TRUE(plain) << plain.error().message;
    EXPECT_EQ(plain->mean(kStart + 30min, 1h), -0.005);
    const auto offset = read("time,local,v\n2024-01-01 02:30:00+02:00,x,10\n", "v");
    ASSERT_TRUE(offset) << offset.error().message;
    EXPECT_EQ(offset->from(), kStart + 30min);
}

TEST(Hourly, RefusesGapsAndWhatIsNoTime) {
    EXPECT_EQ(
        read("time,v\n2024-01-01 00:00:00,1\n2024-01-01 02:00:00,2\n").error().message,
        "h.csv:3: column time: is not an hour after the row before"
    );
    EXPECT_EQ(
        read("time,v\nyesterday,1\n").error().message,
        "h.csv:2: column time: 'yesterday' is no time"
    );
    EXPECT_EQ(read("time,v\n").error().message, "h.csv: no hours");
}

TEST(Hourly, AsksWhichColumnWhereThereAreSeveral) {
    EXPECT_EQ(
        read("time,a,b\n2024-01-01 00:00:00,1,2\n").error().message,
        "h.csv: which column has the value is not clear; there are time, a, b"
    );
}

}  // namespace
}  // namespace penstock::sim
