// SPDX-License-Identifier: Apache-2.0
#include "dispatch/pool_policy.h"

#include <gtest/gtest.h>

namespace penstock::dispatch {
namespace {

std::string checked(const std::string& sku, const std::string& policy) {
    SiteSpec site;
    site.placement[sku] = policy;
    const Result<void> valid = validate_policies(site);
    return valid ? "ok" : to_string(valid.error());
}

TEST(PoolPolicy, IsCompositeWhereTheSiteSaysNothing) {
    SiteSpec site;
    site.placement["H100"] = "fgd";

    EXPECT_EQ(policy_name(site, "H100"), "fgd");
    EXPECT_EQ(policy_name(site, "cpu"), "composite");
    EXPECT_TRUE(make_pool_policy(site, "cpu", {}).has_value());
}

TEST(PoolPolicy, CanBeEveryPolicyThatNeedsNoWatts) {
    for (const std::string_view name : placement::policy_names())
        if (name != "pwr") EXPECT_EQ(checked("H100", std::string(name)), "ok");
    EXPECT_EQ(checked("cpu", "spread=1,best-fit=3"), "ok");
}

TEST(PoolPolicy, NamesTheFieldAndWhatThereIs) {
    EXPECT_EQ(
        checked("H100", "packing"),
        "invalid_argument: placement.H100: there is no policy 'packing': choose one of fgd, "
        "best-fit, dot-product, gpu-packing, gpu-clustering, random, spread, pwr, composite, or "
        "weights as in fgd=9,pwr=1"
    );
    EXPECT_EQ(
        checked("cpu", "pwr"),
        "invalid_argument: placement.cpu: policy pwr needs the watts of every device model"
    );
}

}  // namespace
}  // namespace penstock::dispatch
