// SPDX-License-Identifier: Apache-2.0
#include "scheduler/tenant_quota.h"

#include <gtest/gtest.h>

#include "scheduler/queue_fixture.h"

namespace penstock::scheduler {
namespace {

ComputeQuota guarantee_of(std::int64_t h100) {
    ComputeQuota quota;
    quota.guaranteed.devices["H100"] = h100;
    return quota;
}

TEST(TenantQuota, ALimitIsHitByTheFirstResourceThatWouldPassIt) {
    ComputeQuota quota;
    quota.limit.cpus = 8;
    quota.limit.devices[std::string(kAnyDevice)] = 2;

    const auto hit = limit_hit(quota, amounts_of(devices(1, 4)), amounts_of(devices(2, 4)));

    EXPECT_EQ(hit, (LimitHit{"devices.any", 2000, 1000, 2000}));
    EXPECT_EQ(limit_hit(quota, amounts_of(devices(1, 4)), amounts_of(devices(1, 4))), std::nullopt);
    EXPECT_EQ(limit_hit(quota, {}, amounts_of(cpus(9)))->resource, "cpus");
}

TEST(TenantQuota, WhatStaysWithinTheGuaranteeIsCoveredByIt) {
    const ComputeQuota quota = guarantee_of(2);

    EXPECT_TRUE(is_covered(quota, amounts_of(devices(1)), amounts_of(devices(1))));
    EXPECT_FALSE(is_covered(quota, amounts_of(devices(1)), amounts_of(devices(2))));
}

TEST(TenantQuota, AGuaranteeOfDevicesDoesNotCoverWorkOnProcessorsAlone) {
    EXPECT_FALSE(is_covered(guarantee_of(2), {}, amounts_of(cpus(1))));
}

TEST(TenantQuota, OnlyWhatIsBeyondTheGuaranteeIsBorrowed) {
    const ComputeQuota quota = guarantee_of(2);

    EXPECT_TRUE(is_borrowed(quota, amounts_of(devices(3)), amounts_of(devices(1))));
    EXPECT_FALSE(is_borrowed(quota, amounts_of(devices(3)), amounts_of(devices(2))));
    EXPECT_TRUE(is_borrowed({}, amounts_of(devices(3)), amounts_of(devices(3))));
}

}  // namespace
}  // namespace penstock::scheduler
