// SPDX-License-Identifier: Apache-2.0
#include "sim/site_strategy.h"

#include <gtest/gtest.h>

namespace penstock::sim {
namespace {

std::string refused(std::string_view text) {
    const Result<Strategy> strategy = site_strategy(text);
    return strategy ? "ok" : strategy.error().message;
}

TEST(SiteStrategy, IsNamedOrAMixture) {
    EXPECT_EQ(site_strategy("green").value().green, 1);
    const Strategy mixed = site_strategy("cost=1+green=3").value();
    EXPECT_EQ(mixed.cost, 0.25);
    EXPECT_EQ(mixed.green, 0.75);
    EXPECT_EQ(mixed.duration, 0);
}

TEST(SiteStrategy, NamesWhatIsNotUnderstood) {
    EXPECT_EQ(
        refused("cheap"),
        "'cheap' is no strategy: name a strategy, or weights as in cost=0.5+green=0.5"
    );
    EXPECT_TRUE(refused("cost=much").contains("'cost=much' has a weight that is no number"));
    EXPECT_TRUE(refused("cost=1+green").contains("has a weight that is no number"));
    EXPECT_TRUE(refused("cost=0").contains("at least one weight must be above zero"));
    EXPECT_TRUE(refused("price=1").contains("unknown strategy"));
    EXPECT_NE(refused("cost=-1"), "ok");
    EXPECT_NE(refused("="), "ok");
}

}  // namespace
}  // namespace penstock::sim
