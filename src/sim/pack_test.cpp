// SPDX-License-Identifier: Apache-2.0
#include "sim/pack.h"

#include <gtest/gtest.h>

namespace penstock::sim {
namespace {

// Ten nodes of one device, and tasks of half a device each.
PackReport pack(const std::string& policy) {
    ClusterTrace cluster;
    const std::uint8_t model = cluster.models.intern("T4").value();
    for (int i = 0; i < 10; ++i)
        cluster.nodes.push_back({.cpu_milli = 64000, .devices = 1, .model = model});
    const placement::Request half{.cpu_milli = 1000, .devices = 1, .device_milli = 500};
    const std::vector<TracedTask> tasks(4, {.name = "half", .request = half});
    const SystemClock clock;
    Progress progress(clock, [](const std::string&, std::size_t, std::size_t) {});
    return simulate_packing(
               cluster, tasks, {.policy = policy, .seeds = {1, 2}, .ratio = 1.3}, progress
    )
        .value();
}

TEST(Pack, TasksArriveUntilTheRatioIsAskedFor) {
    const PackReport report = pack("fgd");

    EXPECT_EQ(report.arrived, 2 * 26);  // 26 halves are 130 % of ten devices
    EXPECT_EQ(report.placed, 2 * 20);
    EXPECT_EQ(report.allocated_percent.values, (std::vector<double>{100, 100}));
    EXPECT_EQ(report.allocated_percent.sd(), 0);
    EXPECT_EQ(report.curve.front().asked_percent, 5);
    EXPECT_EQ(report.curve.back().asked_percent, 130);
}

TEST(Pack, EveryRefusalSaysWhatTheNodesWere) {
    const PackReport report = pack("best-fit");

    ASSERT_EQ(report.refused.size(), 1);
    EXPECT_EQ(report.refused[0].first, "Q2");
    EXPECT_EQ(report.refused[0].second, 2 * 6 * 10);  // six refusals a seed, ten nodes each
}

TEST(Pack, SpreadIsOfASample) {
    const Spread spread{.values = {1, 2, 3, 4}};

    EXPECT_EQ(spread.mean(), 2.5);
    EXPECT_NEAR(spread.sd(), 1.2909944487, 1e-9);
}

}  // namespace
}  // namespace penstock::sim
