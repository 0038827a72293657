// SPDX-License-Identifier: Apache-2.0
#include "scheduler/planned_starts.h"

#include <gtest/gtest.h>

namespace penstock::scheduler {
namespace {

const Time kNow = *parse_rfc3339("2026-11-24T08:20:00Z");

TEST(PlannedStarts, StandUntilTheNextFullHour) {
    PlannedStarts planned;
    EXPECT_FALSE(planned.stands(1, kNow, 7));

    planned.put_off(1, kNow, 7);

    EXPECT_TRUE(planned.stands(1, kNow + 39min + 59s, 7));
    EXPECT_FALSE(planned.stands(1, kNow + 40min, 7));
    EXPECT_FALSE(planned.stands(2, kNow, 7)) << "of other work nothing was planned";
}

TEST(PlannedStarts, FallWhenMoreIsKnownOfSites) {
    PlannedStarts planned;
    planned.put_off(1, kNow, 7);
    EXPECT_FALSE(planned.stands(1, kNow, 8));
}

TEST(PlannedStarts, AreLookedAtAgainAFewInARound) {
    PlannedStarts planned;
    for (WorkId work = 1; work <= kReplansPerRoundMax + 1; ++work) planned.put_off(work, kNow, 1);
    const auto due = [&] {
        std::size_t count = 0;
        for (WorkId work = 1; work <= kReplansPerRoundMax + 1; ++work) {
            if (planned.stands(work, kNow + 1h, 1)) continue;
            planned.put_off(work, kNow + 1h, 1);
            ++count;
        }
        return count;
    };

    EXPECT_EQ(due(), kReplansPerRoundMax);
    EXPECT_EQ(due(), 0U);
    planned.begin_round();
    EXPECT_EQ(due(), 1U);
}

TEST(PlannedStarts, AreBoundedAndForgetWhatIsOverFirst) {
    PlannedStarts planned;
    for (WorkId work = 1; work < kPlannedStartsMax; ++work) planned.put_off(work, kNow, 1);
    planned.put_off(kPlannedStartsMax, kNow + 1h, 1);
    EXPECT_EQ(planned.size(), kPlannedStartsMax);

    planned.put_off(kPlannedStartsMax + 1, kNow + 1h, 1);

    EXPECT_EQ(planned.size(), 2U);
    EXPECT_TRUE(planned.stands(kPlannedStartsMax, kNow + 1h, 1));
}

}  // namespace
}  // namespace penstock::scheduler
