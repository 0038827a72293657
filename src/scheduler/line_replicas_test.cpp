// SPDX-License-Identifier: Apache-2.0
#include "scheduler/line_replicas.h"

#include <gtest/gtest.h>

namespace penstock::scheduler {
namespace {

const Time kNow{std::chrono::hours(1000)};

LineDemand demand(std::int64_t lines, Duration in) {
    return {.waiting = lines, .left = lines, .line_time = 8s, .expires_at = kNow + in};
}

TEST(LineReplicas, ABatchIsNearAnHourBeforeItsEndOrWhenTwiceItsTimeIsLeft) {
    const ReplicaPlaces one{.of_one = 8, .cold_start = 60s};
    EXPECT_FALSE(is_near(demand(100, 24h), one, kNow));
    EXPECT_TRUE(is_near(demand(100, 59min), one, kNow));
    EXPECT_TRUE(is_near(demand(20'000, 11h), one, kNow)) << "one replica needs 20,000 seconds";
    EXPECT_FALSE(is_near(demand(0, 1min), one, kNow));
}

TEST(LineReplicas, AsManyAsEndAllInTimeWithSomeToSpare) {
    const ReplicaPlaces one{.of_one = 8, .cold_start = 0s};
    EXPECT_EQ(replicas_for({demand(100, 50min)}, one, kNow), 1);
    // A replica makes 2,625 lines of eight seconds in fifty minutes, of those that count.
    EXPECT_EQ(replicas_for({demand(5'000, 50min)}, one, kNow), 3);
    EXPECT_EQ(replicas_for({demand(100, 50min), demand(4'900, 50min)}, one, kNow), 3);
    EXPECT_EQ(replicas_for({}, one, kNow), 0);
}

TEST(LineReplicas, NoneWhereOthersHavePlacesEnough) {
    const ReplicaPlaces beside{.of_others = 16, .of_one = 8, .cold_start = 60s};
    EXPECT_EQ(replicas_for({demand(1'000, 50min)}, beside, kNow), 0);
    EXPECT_EQ(replicas_for({demand(9'000, 50min)}, beside, kNow), 3);
}

}  // namespace
}  // namespace penstock::scheduler
