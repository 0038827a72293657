// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <string>

#include "gateway/gateway_fixture.h"

// What a gateway tells of leases and of the choice of engines.
namespace penstock::gateway {
namespace {

TEST(GatewayMetrics, TellOfLeasesBreakersRetriesChoicesAndPrompts) {
    Fixture f;
    f.add_engine(whole_answer());

    EXPECT_EQ(f.ask(std::string(kChat)).status, 200);
    f.wait_for_records(1);

    f.wait_until(
        [&] {
            return f.metrics().contains(
                R"(penstock_gateway_leases{level="organisation",measure="wallet"} 1)"
            );
        },
        "the wallet's lease"
    );
    const std::string text = f.metrics();
    const auto has = [&](std::string_view line) { return text.contains(line); };
    EXPECT_TRUE(has(R"(penstock_gateway_lease_free{level="organisation",measure="wallet"} )"));
    EXPECT_TRUE(has(R"(penstock_gateway_breakers{model="m",state="closed"} 1)"));
    EXPECT_TRUE(has(R"(penstock_gateway_retries_left{model="m"} 10)"));
    EXPECT_TRUE(has(R"(penstock_gateway_choices_total{reason="reference_rates"} 1)")) << text;
    EXPECT_TRUE(has(R"(penstock_gateway_prefix_index_bytes_max{index="prompts"} 6)"));
}

TEST(GatewayMetrics, AnEngineThatWasTriedIsLeftOutOfTheNextChoice) {
    Fixture f;
    f.add_engine({.status = 500, .content_type = "application/json", .pieces = {"{}"}});

    EXPECT_EQ(f.ask(std::string(kChat)).status, 502);

    const std::string text = f.metrics();
    EXPECT_TRUE(text.contains(R"(penstock_gateway_choices_total{reason="none"} 1)")) << text;
    EXPECT_TRUE(text.contains(R"(penstock_gateway_candidates_left_out_total{reason="tried"} 1)"))
        << text;
}

}  // namespace
}  // namespace penstock::gateway
