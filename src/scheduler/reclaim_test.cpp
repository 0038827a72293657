// SPDX-License-Identifier: Apache-2.0
#include "scheduler/reclaim.h"

#include <gtest/gtest.h>

#include <string>

#include "scheduler/queue_fixture.h"

namespace penstock::scheduler {
namespace {

struct Reclaims : testing::Test {
    Court court{{machine(64, 8), machine(64, 8)}};
    Tenant mine = court.tenant(0), sibling = court.tenant(0, 1), stranger = court.tenant(1);

    std::size_t runs(
        const Tenant& tenant, std::int64_t count, std::int64_t priority, Duration since,
        bool spot = false
    ) {
        const std::size_t job = court.submit(tenant, devices(count), 100h, priority);
        court.jobs[job].preemptible = true;
        court.jobs[job].item.spot = spot;
        court.round();
        court.jobs[job].started = court.now - since;
        return job;
    }
    // Who would leave for it, by job; "nobody" where nobody may.
    std::string victims(
        const Tenant& tenant, std::int64_t count, std::int64_t priority, bool spot = false
    ) {
        const QueueItem item{
            .work = 99,
            .tenant = tenant,
            .priority = priority,
            .spot = spot,
            .request = devices(count)
        };
        const auto found = court.reclaim(item, court.queue(), court.promises);
        if (!found) return "nobody";
        std::string all;
        for (const Resident& victim : found->victims) all += std::to_string(victim.id - 1) + " ";
        return all;
    }
};

TEST_F(Reclaims, TakeTheLowestPriorityThenTheLeastWorkLost) {
    runs(mine, 8, 1, 1h);
    runs(mine, 4, 0, 1h);
    runs(mine, 4, 0, 10min);

    EXPECT_EQ(victims(mine, 4, 2), "2 ");
    EXPECT_EQ(victims(mine, 8, 2), "2 1 ");
}

TEST_F(Reclaims, NeverTouchTheSameOrAHigherPriority) {
    runs(mine, 8, 1, 1h);
    runs(mine, 8, 2, 1h);

    EXPECT_EQ(victims(mine, 1, 1), "nobody");
}

TEST_F(Reclaims, APriorityWinsNothingOverAnotherProject) {
    runs(sibling, 8, 0, 1h);
    runs(stranger, 8, 0, 1h);

    EXPECT_EQ(victims(mine, 1, 100), "nobody");
}

TEST_F(Reclaims, SpotWorkOfAnyTenantGoesFirst) {
    runs(mine, 8, 0, 1min);
    runs(stranger, 8, 5, 10h, true);

    EXPECT_EQ(victims(mine, 1, 1), "1 ");
    EXPECT_EQ(victims(mine, 1, 1, true), "nobody");
}

TEST_F(Reclaims, AGuaranteeIsTakenBackFromWhoBorrowedIt) {
    ComputeQuota quota;
    quota.guaranteed.devices["H100"] = 4;
    court.set_quota(0, quota);
    runs(stranger, 8, 9, 1h);
    runs(stranger, 8, 9, 2h);

    EXPECT_EQ(victims(mine, 4, 0), "0 ");
    EXPECT_EQ(victims(mine, 5, 0), "nobody");
}

TEST_F(Reclaims, WhoGaveWayIsLeftAloneForAWhile) {
    runs(mine, 8, 0, 0s);
    runs(mine, 8, 0, 0s);
    court.jobs[0].preemptions = court.jobs[1].preemptions = 1;

    EXPECT_EQ(victims(mine, 1, 1), "nobody");
    court.now += kPreemptionQuiet;
    EXPECT_EQ(victims(mine, 1, 1), "0 ");
}

TEST_F(Reclaims, StopNobodyWhoNeedNotLeave) {
    runs(mine, 1, 0, 1min);
    runs(mine, 7, 0, 1h);
    runs(mine, 8, 3, 1h);

    EXPECT_EQ(victims(mine, 7, 1), "1 ");
}

}  // namespace
}  // namespace penstock::scheduler
