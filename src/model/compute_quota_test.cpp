// SPDX-License-Identifier: Apache-2.0
#include "model/compute_quota.h"

#include <gtest/gtest.h>

namespace penstock {
namespace {

std::string said(const std::vector<Error>& errors) {
    std::string all;
    for (const Error& error : errors) all += error.field + ": " + error.message + "\n";
    return all;
}

TEST(ComputeQuota, AcceptsGuaranteesWithinTheirLimits) {
    ComputeQuota quota{.weight = 3};
    quota.guaranteed.cpus = 8;
    quota.guaranteed.devices["H100"] = 2;
    quota.limit.cpus = 16;
    quota.limit.devices[std::string(kAnyDevice)] = 4;

    EXPECT_EQ(said(check(quota, "quota")), "");
}

TEST(ComputeQuota, NamesEveryMistakeWithItsField) {
    ComputeQuota quota{.weight = 0};
    quota.guaranteed.cpus = 8;
    quota.limit.cpus = 4;
    quota.limit.memory_gib = -1;

    EXPECT_EQ(
        said(check(quota, "quota")),
        "quota.weight: is 0, which is not from 1 to 1000: 1 is the default\n"
        "quota.limit.memory_gib: is -1, which is not from 0 to 1000000000: leave it out to say "
        "nothing of it\n"
        "quota.guaranteed.cpus: is 8, above the limit of 4: lower it or raise the limit\n"
    );
}

TEST(ComputeQuota, AProjectPromisesNoMoreThanItsOrganisation) {
    ComputeQuota whole;
    whole.guaranteed.cpus = 8;
    whole.limit.devices["H100"] = 4;
    ComputeQuota part;
    part.guaranteed.cpus = 9;
    part.guaranteed.devices["H100"] = 1;
    part.limit.devices["H100"] = 5;

    EXPECT_EQ(
        said(check_within(part, whole, "quota")),
        "quota.guaranteed.cpus: is 9, the organisation is guaranteed 8: lower it, or have the "
        "operator raise that\n"
        "quota.guaranteed.devices.H100: is 1, the organisation is guaranteed 0: lower it, or have "
        "the operator raise that\n"
        "quota.limit.devices.H100: is 5, above the organisation's 4: lower it\n"
    );
}

}  // namespace
}  // namespace penstock
