// SPDX-License-Identifier: Apache-2.0
#include "scheduler/queue_round.h"

#include <gtest/gtest.h>

#include "scheduler/queue_fixture.h"

namespace penstock::scheduler {
namespace {

TEST(QueueRound, StartsSmallWorkBehindALargeOneOnlyWhereItDelaysNothing) {
    Court court({machine(8)});
    const Tenant tenant = court.tenant(0);
    court.submit(tenant, cpus(6), 1h);
    const std::size_t large = court.submit(tenant, cpus(8), 1h);
    const std::size_t longer = court.submit(tenant, cpus(1), 2h);
    const std::size_t shorter = court.submit(tenant, cpus(1), 1h);

    court.round();

    EXPECT_EQ(court.jobs[large].said, "room, promised");
    EXPECT_EQ(court.jobs[longer].said, "kept, promised");
    EXPECT_TRUE(court.jobs[shorter].node);
    court.advance();
    court.round();
    EXPECT_EQ(court.jobs[large].first_started, kQueueStart + 1h);
}

TEST(QueueRound, ALargeTaskIsNotPassedByAnEndlessRowOfSmallOnes) {
    Court court({machine(4)});
    const Tenant tenant = court.tenant(0);
    for (int i = 0; i < 4; ++i) {
        const std::size_t job = court.submit(tenant, cpus(1), std::chrono::minutes(10 * (i + 1)));
        court.jobs[job].knows_its_end = false;
        court.jobs[job].item.at_most.reset();
    }
    court.round();
    const std::size_t large = court.submit(tenant, cpus(4), 1h);
    const Tenant other = court.tenant(1);
    do {
        const std::size_t job = court.submit(other, cpus(1), 10min);
        court.jobs[job].item.at_most.reset();
        court.round();
    } while (!court.jobs[large].first_started && court.advance());

    EXPECT_EQ(court.jobs[large].first_started, kQueueStart + 40min);
}

TEST(QueueRound, ATenantAtItsLimitWaitsForItsQuotaAndOthersPassIt) {
    Court court({machine(8)});
    ComputeQuota quota;
    quota.limit.cpus = 4;
    court.set_quota(0, quota);
    court.submit(court.tenant(0), cpus(4), 1h);
    const std::size_t blocked = court.submit(court.tenant(0), cpus(1), 1h);
    const std::size_t other = court.submit(court.tenant(1), cpus(4), 1h);

    court.round();

    EXPECT_EQ(court.jobs[blocked].said, "quota cpus");
    EXPECT_TRUE(court.jobs[other].node);
}

TEST(QueueRound, WhatGaveWayIsKeptForWhomItGaveWay) {
    Court court({machine(8)});
    const Tenant tenant = court.tenant(0);
    const std::size_t low = court.submit(tenant, cpus(8), 10h);
    court.jobs[low].preemptible = true;
    court.round();
    const std::size_t high = court.submit(tenant, cpus(8), 1h, 10);
    const std::size_t third = court.submit(court.tenant(1), cpus(1), 1min);

    court.round();
    EXPECT_EQ(court.notices.size(), 1U);
    EXPECT_EQ(court.jobs[high].said, "room, promised");
    court.advance();
    court.round();

    EXPECT_EQ(court.jobs[high].first_started, kQueueStart + kPreemptionGrace);
    EXPECT_FALSE(court.jobs[third].node);
    EXPECT_EQ(court.jobs[low].preemptions, 1);
}

// A steady row of urgent work: the lesser one gives way, and is then left alone for a while.
TEST(QueueRound, NobodyIsSentToAndFro) {
    Court court({machine(8)});
    const Tenant tenant = court.tenant(0);
    const std::size_t low = court.submit(tenant, cpus(8), 10h);
    court.jobs[low].preemptible = true;
    court.round();
    for (int i = 0; i < 40; ++i) {
        court.submit(tenant, cpus(8), 1min, 10);
        court.round();
        court.advance();
        court.round();
    }

    EXPECT_LE(court.jobs[low].preemptions, (court.now - kQueueStart) / kPreemptionQuiet + 1);
    EXPECT_GE(court.jobs[low].preemptions, 1);
}

TEST(QueueRound, AGangIsPromisedAllItsNodesAndSmallWorkDoesNotDelayIt) {
    Court court({machine(4), machine(4), machine(4)});
    const Tenant tenant = court.tenant(0);
    for (const int hours : {1, 2, 3}) court.submit(tenant, cpus(3), std::chrono::hours(hours));
    court.round();
    const std::size_t gang = court.submit_gang(tenant, cpus(4), 2, 1h);
    const std::size_t longer = court.submit(tenant, cpus(1), 3h);
    const std::size_t shorter = court.submit(tenant, cpus(1), 1h);

    court.round();

    // On two nodes until they are free; beside the third, which is not promised, anything goes.
    EXPECT_EQ(court.jobs[gang].said, "room, promised");
    EXPECT_EQ(court.promises.find(court.jobs[gang].item.work)->places.size(), 2U);
    EXPECT_EQ(court.promises.find(court.jobs[gang].item.work)->start, kQueueStart + 2h);
    EXPECT_TRUE(court.jobs[longer].is_on(court.suited(court.jobs[longer].item)[2].node));
    EXPECT_TRUE(court.jobs[shorter].is_on(court.suited(court.jobs[shorter].item)[0].node));
    while (!court.jobs[gang].first_started && court.advance()) court.round();
    EXPECT_EQ(court.jobs[gang].first_started, kQueueStart + 2h);
}

TEST(QueueRound, AGangIsNotPassedByAnEndlessRowOfSmallTasks) {
    Court court({machine(4), machine(4)});
    const Tenant tenant = court.tenant(0);
    for (int i = 0; i < 8; ++i) {
        const std::size_t job = court.submit(tenant, cpus(1), std::chrono::minutes(5 * (i + 1)));
        court.jobs[job].knows_its_end = false;
        court.jobs[job].item.at_most.reset();
    }
    court.round();
    const std::size_t gang = court.submit_gang(tenant, cpus(4), 2, 1h);
    const Tenant other = court.tenant(1);
    do {
        const std::size_t job = court.submit(other, cpus(1), 10min);
        court.jobs[job].item.at_most.reset();
        court.round();
    } while (!court.jobs[gang].first_started && court.advance());

    EXPECT_EQ(court.jobs[gang].first_started, kQueueStart + 40min);
}

TEST(QueueRound, AllWhoStandInTheWayOfAGangLeaveTogetherOrNobodyDoes) {
    Court court({machine(8), machine(8), machine(8)});
    const Tenant tenant = court.tenant(0);
    for (int i = 0; i < 3; ++i) court.submit(tenant, cpus(8), 10h);
    court.jobs[0].preemptible = true;
    court.round();
    const std::size_t gang = court.submit_gang(tenant, cpus(8), 2, 1h, 10);

    court.round();
    EXPECT_EQ(court.notices.size(), 0U);
    court.jobs[2].preemptible = true;
    court.round();
    EXPECT_EQ(court.notices.size(), 2U);
    const std::size_t third = court.submit(court.tenant(1), cpus(1), 1min);
    court.round();
    court.advance();
    court.round();

    EXPECT_EQ(court.jobs[gang].first_started, kQueueStart + kPreemptionGrace);
    EXPECT_FALSE(court.jobs[third].node);
    EXPECT_EQ(court.jobs[0].preemptions + court.jobs[2].preemptions, 2);
    EXPECT_TRUE(court.jobs[1].node);
}

TEST(QueueRound, AGangTakesWhatIsFreeAndClearsOnlyTheRest) {
    Court court({machine(8), machine(8), machine(8)});
    const Tenant tenant = court.tenant(0);
    for (int i = 0; i < 2; ++i) court.jobs[court.submit(tenant, cpus(8), 10h)].preemptible = true;
    court.round();
    court.submit_gang(tenant, cpus(8), 2, 1h, 10);

    court.round();

    EXPECT_EQ(court.notices.size(), 1U);
}

TEST(QueueRound, AGuaranteeIsReachedByReclaim) {
    Court court({machine(8, 8)});
    ComputeQuota quota;
    quota.guaranteed.devices["H100"] = 4;
    court.set_quota(1, quota);
    for (int i = 0; i < 8; ++i)
        court.jobs[court.submit(court.tenant(0), devices(1), 100h)].preemptible = true;
    court.round();
    for (int i = 0; i < 6; ++i) court.submit(court.tenant(1), devices(1), 100h);
    for (int i = 0; i < 3; ++i) {
        court.round();
        court.advance_by(kPreemptionGrace);
    }
    court.round();

    EXPECT_EQ(court.queue().used(court.tenant(1)).devices_milli, 4000);
    EXPECT_EQ(court.queue().used(court.tenant(0)).devices_milli, 4000);
}

}  // namespace
}  // namespace penstock::scheduler
