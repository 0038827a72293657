// SPDX-License-Identifier: Apache-2.0
#include "cli/site_outlook.h"

#include <gtest/gtest.h>

namespace penstock::cli {
namespace {

std::string refusal(const std::string& text) {
    const Result<OutlookSpec> spec = outlook_from_csv(text, "day.csv");
    return spec ? "" : spec.error().message;
}

TEST(SiteOutlook, ReadsTheColumnsThatAreThere) {
    const Result<OutlookSpec> spec = outlook_from_csv(
        "hour,price_percent,carbon_g_per_kwh\n"
        "2026-11-24T08:00:00Z,100,512.5\n"
        "2026-11-24T17:00:00+08:00,60,80\n",
        "day.csv"
    );
    ASSERT_TRUE(spec) << spec.error().message;
    EXPECT_EQ(
        *spec, (OutlookSpec{
                   .from = *parse_rfc3339("2026-11-24T08:00:00Z"),
                   .carbon_g_per_kwh = {512.5, 80},
                   .price_percent = {100, 60}
               })
    );
}

TEST(SiteOutlook, RefusesHolesByTheirLine) {
    EXPECT_EQ(
        refusal("hour,carbon_g_per_kwh\n2026-11-24T08:00:00Z,5\n2026-11-24T10:00:00Z,5\n"),
        "day.csv:3: column hour: is not an hour after the row before: leave no hour out"
    );
    EXPECT_TRUE(
        refusal("hour,carbon_g_per_kwh\n2026-11-24T08:00:00Z,\n").starts_with("day.csv:2: column c")
    );
    EXPECT_TRUE(refusal("hour,carbon_g_per_kwh\n2026-11-24T08:00:00Z,nan\n")
                    .starts_with("day.csv:2: column carbon_g_per_kwh: 'nan'"));
}

TEST(SiteOutlook, RefusesColumnsThatItDoesNotKnow) {
    EXPECT_EQ(
        refusal("hour,carbon\n2026-11-24T08:00:00Z,5\n"),
        "day.csv: column 'carbon' is not one of hour, carbon_g_per_kwh, power_price_per_kwh, "
        "price_percent"
    );
    EXPECT_EQ(refusal("hour,carbon_g_per_kwh\n"), "day.csv: has no hours");
}

}  // namespace
}  // namespace penstock::cli
