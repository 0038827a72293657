// SPDX-License-Identifier: Apache-2.0
#include "sim/site_scenario.h"

#include <gtest/gtest.h>

#include "sim/site_fixture.h"

namespace penstock::sim {
namespace {

TEST(SiteScenario, ReadsSitesPoolsAndLinks) {
    const SiteScenario scenario = ScenarioText().read().value();
    ASSERT_EQ(scenario.sites.size(), 2U);
    EXPECT_EQ(scenario.sites[0].controls, (std::vector<std::string>{"encryption", "audit"}));
    EXPECT_TRUE(scenario.sites[1].controls.empty());
    EXPECT_EQ(scenario.pools[2].site, 1U);
    EXPECT_EQ(scenario.link(1, 0).rtt_ms, 80);
    EXPECT_EQ(to_string(scenario.link(1, 0).egress_per_gb.value_or(Price())), "0.1");
    EXPECT_EQ(scenario.outlooks[0].power_price_per_kwh.mean(kScenarioStart, 1h), 0.05);
}

TEST(SiteScenario, NamesTheCellThatIsWrong) {
    ScenarioText text;
    text.sites += "third,1.1,encription,0,1,1,\n";
    EXPECT_EQ(
        text.complaint(),
        "sites.csv:4: column controls: 'encription' is none of attestation, dedicated_tenancy, "
        "encryption, audit"
    );
    text = {};
    text.pools += "far,A10,8,1,150,1\n";
    EXPECT_EQ(text.complaint(), "pools.csv:5: column site: 'far' is no site of the sites file");
    text = {};
    text.pools += "clean,H100,8,1,700,5\n";
    EXPECT_EQ(
        text.complaint(),
        "pools.csv:5: column model: has other watts or another speed than at another site"
    );
}

TEST(SiteScenario, AMissingLinkIsAnErrorAndNeverADefault) {
    ScenarioText text;
    text.links += "elsewhere,near,5,100,0\n";
    EXPECT_EQ(text.complaint(), "links.csv: no link from elsewhere to clean");
    text.links += "elsewhere,near,5,100,0\n";
    EXPECT_EQ(text.complaint(), "links.csv:7: column to: stands there twice for this place");
}

}  // namespace
}  // namespace penstock::sim
