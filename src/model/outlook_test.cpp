// SPDX-License-Identifier: Apache-2.0
#include "model/outlook.h"

#include <gtest/gtest.h>

#include <limits>

#include "json/json.h"

namespace penstock {
namespace {

const Time kNow = *parse_rfc3339("2026-11-24T08:20:00Z");
const Time kHour = *parse_rfc3339("2026-11-24T08:00:00Z");

OutlookSpec any() {
    return {.from = kHour, .carbon_g_per_kwh = {500, 80.5}, .price_percent = {100, 60}};
}

std::string refusal(const OutlookSpec& spec) {
    const Result<void> valid = validate(spec, kNow);
    return valid ? "" : valid.error().field + ": " + valid.error().message;
}

TEST(Outlook, TakesHoursThatBeginWithTheCurrentOneOrBefore) {
    EXPECT_EQ(refusal(any()), "");
    OutlookSpec yesterday = any();
    yesterday.from = kHour - 1h;
    EXPECT_EQ(refusal(yesterday), "") << "its second hour goes on";
}

TEST(Outlook, RefusesHoursThatAreOverOrLeaveAHoleBeforeThem) {
    OutlookSpec spec = any();
    spec.from = kHour - 2h;
    EXPECT_EQ(
        refusal(spec),
        "from: all hours are over (the last ended at 2026-11-24T08:00:00Z): state hours to come"
    );
    spec.from = kHour + 1h;
    EXPECT_EQ(
        refusal(spec),
        "from: lies in the future: begin with the current hour, 2026-11-24T08:00:00Z, so that none "
        "before it is unknown"
    );
    spec.from = kHour - 10min;
    EXPECT_EQ(refusal(spec), "from: must be a full hour of UTC, for instance 2026-11-24T08:00:00Z");
}

TEST(Outlook, RefusesWhatIsNoNumberOrOutOfRangeByItsPlace) {
    OutlookSpec spec = any();
    spec.carbon_g_per_kwh[1] = std::numeric_limits<double>::quiet_NaN();
    EXPECT_EQ(
        refusal(spec),
        "carbon_g_per_kwh[1]: must be a number from 0 to 5000: every hour has a value, unknown "
        "ones "
        "end the list"
    );
    spec = any();
    spec.power_price_per_kwh = {-0.1, -2000};
    EXPECT_TRUE(refusal(spec).starts_with("power_price_per_kwh[1]: must be a number from -1000"));
    spec = any();
    spec.price_percent[0] = 101;
    EXPECT_EQ(
        refusal(spec),
        "price_percent[0]: must be from 1 to 100: the list price is the most that is charged"
    );
}

TEST(Outlook, RefusesListsOfDifferentLengthNoneAndTooMany) {
    OutlookSpec spec = any();
    spec.price_percent = {50};
    EXPECT_EQ(
        refusal(spec),
        "price_percent: has 1 values where another list has 2: state one for each hour"
    );
    EXPECT_TRUE(refusal({.from = kHour}).starts_with("carbon_g_per_kwh: nothing is stated"));
    spec = {.from = kHour, .carbon_g_per_kwh = std::vector<double>(kOutlookHoursMax, 1)};
    EXPECT_EQ(refusal(spec), "");
    spec.carbon_g_per_kwh.push_back(1);
    EXPECT_EQ(
        refusal(spec),
        "from: is followed by 337 hours: state at most 336, and more when these are over"
    );
}

TEST(Outlook, AHoleInAListIsNoNumber) {
    const auto spec = json::parse<OutlookSpec>(
        R"({"from": "2026-11-24T08:00:00Z", "carbon_g_per_kwh": [1, null, 3]})"
    );
    ASSERT_FALSE(spec);
    EXPECT_NE(to_string(spec.error()).find("carbon_g_per_kwh[1]"), std::string::npos)
        << to_string(spec.error());
}

TEST(Outlook, IsFreshThenStaleAndExpiresWithItsLastHour) {
    SiteOutlook outlook{.spec = any(), .stated_at = kNow};
    outlook.spec.price_percent.clear();
    outlook.spec.carbon_g_per_kwh.assign(100, 1);
    EXPECT_EQ(state_of(outlook, kNow + 47h), OutlookState::fresh);
    EXPECT_EQ(state_of(outlook, kNow + 48h), OutlookState::stale);
    EXPECT_EQ(state_of(outlook, kHour + 100h), OutlookState::expired);
    EXPECT_EQ(view_of(outlook, "centre", kNow + 90s).age_seconds, 90);
}

}  // namespace
}  // namespace penstock
