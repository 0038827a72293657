// SPDX-License-Identifier: Apache-2.0
#include "scheduler/calendar.h"

#include <gtest/gtest.h>

namespace penstock::scheduler {
namespace {

const Time kStart = *parse_rfc3339("2026-11-24T00:00:00Z");

ResourceRequest devices(std::int64_t count) {
    return {
        .cpu_milli = 1000, .memory_mib = 1024, .accelerator = Accelerator{"H100", count * 1000}
    };
}

Calendar eight_devices() {
    return Calendar(
        {.cpu_milli = 64'000, .memory_mib = 65'536, .accelerator_milli = {{"H100", 8000}}}
    );
}

TEST(Calendar, AnEmptyNodeTakesWhatItHasAtOnceAndNeverMore) {
    const Calendar calendar = eight_devices();
    EXPECT_EQ(calendar.earliest(devices(8), kStart, 1h), kStart);
    EXPECT_FALSE(calendar.earliest(devices(9), kStart, 1h));
    EXPECT_FALSE(calendar.fits({.cpu_milli = 65'000}, kStart, 1h));
}

TEST(Calendar, WaitsForTheEndOfWhatIsHeld) {
    Calendar calendar = eight_devices();
    calendar.reserve(devices(6), kStart, 3h);
    EXPECT_EQ(calendar.earliest(devices(2), kStart, 10h), kStart);
    EXPECT_EQ(calendar.earliest(devices(3), kStart + 1h, 1h), kStart + 3h);
}

TEST(Calendar, FillsAGapBeforeAReservationWhereAllOfItFits) {
    Calendar calendar = eight_devices();
    calendar.reserve(devices(8), kStart + 2h, 1h);
    EXPECT_EQ(calendar.earliest(devices(1), kStart, 2h), kStart);
    EXPECT_EQ(calendar.earliest(devices(1), kStart, 3h), kStart + 3h);
    EXPECT_TRUE(calendar.fits(devices(8), kStart + 3h, 1h));
    EXPECT_FALSE(calendar.fits(devices(1), kStart + 2h, 1s));
}

TEST(Calendar, ForgetsThePastAndNothingElse) {
    Calendar calendar = eight_devices();
    calendar.reserve(devices(8), kStart, 1h);
    calendar.reserve(devices(8), kStart + 2h, 1h);
    calendar.forget_before(kStart + 2h + 30min);
    EXPECT_EQ(calendar.steps(), 2U);
    EXPECT_EQ(calendar.earliest(devices(1), kStart + 2h + 30min, 1h), kStart + 3h);
}

}  // namespace
}  // namespace penstock::scheduler
