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
    site.idle_watts_per_device["H100"] = 70;
    EXPECT_TRUE(make_pool_policy(site, "H100", {}).has_value()) << "weighs watts";
    EXPECT_TRUE(make_pool_policy(site, "Unheard", {}).has_value()) << "packs devices";
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
}

TEST(PoolPolicy, WeighsWattsWhereTheSiteStatesThem) {
    SiteSpec site;
    site.placement = {{"H100", "pwr"}, {"cpu", "pwr=1,best-fit=1"}};
    const auto valid = [&] {
        const Result<void> checked = validate_policies(site);
        return checked ? "ok" : to_string(checked.error());
    };
    EXPECT_NE(valid().find("state idle_watts_per_device.H100 of the site"), std::string::npos);
    site.idle_watts_per_device["H100"] = 70;  // under load: what the maker publishes
    EXPECT_NE(valid().find("state watts_per_core of the site"), std::string::npos);
    site.watts_per_core = 5;
    EXPECT_EQ(valid(), "ok");
    site.watts_per_device["H100"] = 60;
    EXPECT_NE(valid().find("is more than the device draws"), std::string::npos);
}

}  // namespace
}  // namespace penstock::dispatch
