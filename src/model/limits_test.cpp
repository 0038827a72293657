// SPDX-License-Identifier: Apache-2.0
#include "model/limits.h"

#include <gtest/gtest.h>

#include "model/units.h"

namespace penstock {
namespace {

TEST(Limits, PeriodsBeginAtMidnightOnMondayAndOnTheFirst) {
    const Time at = *parse_rfc3339("2026-01-01T13:00:00Z");  // a Thursday

    EXPECT_EQ(to_rfc3339(period_start(BudgetPeriod::daily, at)), "2026-01-01T00:00:00Z");
    EXPECT_EQ(to_rfc3339(period_start(BudgetPeriod::weekly, at)), "2025-12-29T00:00:00Z");
    EXPECT_EQ(to_rfc3339(period_start(BudgetPeriod::monthly, at)), "2026-01-01T00:00:00Z");
    EXPECT_EQ(to_rfc3339(period_end(BudgetPeriod::monthly, at)), "2026-02-01T00:00:00Z");
    EXPECT_EQ(to_rfc3339(period_end(BudgetPeriod::weekly, at)), "2026-01-05T00:00:00Z");
}

TEST(Limits, NamesFieldCauseAndRemedyOfEveryMistake) {
    Limits limits;
    limits.budget_period = BudgetPeriod::daily;
    limits.requests_per_minute = -1;
    limits.models = {"a", "a"};

    const std::vector<Error> errors = check(limits, "limits");

    ASSERT_EQ(errors.size(), 3U);
    EXPECT_EQ(errors[0].field, "limits.budget_period");
    EXPECT_EQ(errors[1].field, "limits.requests_per_minute");
    EXPECT_EQ(errors[2].message, "'a' is named twice: name it once");
}

TEST(Units, PrintsAndReadsExactly) {
    EXPECT_EQ(to_string(Units::whole(60)), "60");
    EXPECT_EQ(to_string(*parse_units("0.00056")), "0.00056");
    EXPECT_EQ(to_string(*parse_units("-1.5")), "-1.5");
    EXPECT_EQ(to_string(Units()), "0");
    EXPECT_EQ(
        to_string(*parse_units("-999999999999999999.000000000000001")),
        "-999999999999999999.000000000000001"
    );
    Units most = Units::whole(999'999'999'999'999'999);
    for (int i = 0; i < 10; ++i) most = most + most;
    EXPECT_EQ(to_string(most), "1023999999999999998976");
    EXPECT_FALSE(parse_units("1."));
    EXPECT_FALSE(parse_units("1e3"));
}

}  // namespace
}  // namespace penstock
