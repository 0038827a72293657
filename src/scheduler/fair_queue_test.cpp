// SPDX-License-Identifier: Apache-2.0
#include "scheduler/fair_queue.h"

#include <gtest/gtest.h>

#include <string>

#include "scheduler/queue_fixture.h"

namespace penstock::scheduler {
namespace {

struct FairQueues : testing::Test {
    SeededRandom random{3};
    IdSource ids{random};
    Tenant a = make(), b = make();
    FairQueue queue{amounts_of(machine(100, 10))};

    Tenant make() {
        return {ids.next<OrganisationId>(kQueueStart), ids.next<ProjectId>(kQueueStart)};
    }
    // Two tenants with ten items each of `request`; who is taken, each charged at once.
    std::string order(const ResourceRequest& request, int picks) {
        const Amounts asked = amounts_of(request);
        for (std::size_t i = 0; i < 10; ++i) {
            queue.add(a, i, asked);
            queue.add(b, 10 + i, asked);
        }
        std::string taken;
        for (int i = 0; i < picks; ++i) {
            const bool first = *queue.pop() < 10;
            taken += first ? 'a' : 'b';
            queue.charge(first ? a : b, asked);
        }
        return taken;
    }
};

TEST_F(FairQueues, EqualTenantsTakeTurns) { EXPECT_EQ(order(cpus(1), 6), "ababab"); }

TEST_F(FairQueues, ATenantOfThreefoldWeightGetsThreeTurnsForOne) {
    queue.set_quota(b.organisation, {.weight = 3});

    EXPECT_EQ(order(cpus(1), 9), "abbbabbba");
}

TEST_F(FairQueues, WhoIsBelowItsGuaranteeComesFirst) {
    ComputeQuota quota;
    quota.guaranteed.devices["H100"] = 3;
    queue.set_quota(b.organisation, quota);

    EXPECT_EQ(order(devices(1), 8), "bbbaaaab");
}

TEST_F(FairQueues, BetweenGuaranteesTheLeastUsedPartComesFirst) {
    ComputeQuota two, four;
    two.guaranteed.cpus = 2;
    four.guaranteed.cpus = 4;
    queue.set_quota(a.organisation, two);
    queue.set_quota(b.organisation, four);

    EXPECT_EQ(order(cpus(1), 6), "abbabb");
}

TEST_F(FairQueues, ALimitOfTheOrganisationIsNamedBeforeThatOfTheProject) {
    ComputeQuota quota;
    quota.limit.cpus = 1;
    queue.set_quota(a, quota);
    EXPECT_EQ(queue.blocked(a, amounts_of(cpus(2)))->level, TenantLevel::project);

    queue.set_quota(a.organisation, quota);
    EXPECT_EQ(queue.blocked(a, amounts_of(cpus(2)))->level, TenantLevel::organisation);
    EXPECT_EQ(queue.blocked(a, amounts_of(cpus(1))), std::nullopt);
}

TEST_F(FairQueues, WhatIsLentMayBeTakenBackButNotWhatIsTheHoldersOwn) {
    ComputeQuota quota;
    quota.guaranteed.devices["H100"] = 4;
    queue.set_quota(a.organisation, quota);
    queue.set_quota(b.organisation, quota);
    queue.charge(b, amounts_of(devices(6)));

    EXPECT_TRUE(queue.may_reclaim(a, amounts_of(devices(2)), b, amounts_of(devices(2))));
    EXPECT_FALSE(queue.may_reclaim(a, amounts_of(devices(2)), b, amounts_of(devices(3))));
    EXPECT_FALSE(queue.may_reclaim(a, amounts_of(devices(5)), b, amounts_of(devices(1))));
    EXPECT_FALSE(queue.may_reclaim(b, amounts_of(devices(1)), a, amounts_of(devices(1))));
}

}  // namespace
}  // namespace penstock::scheduler
