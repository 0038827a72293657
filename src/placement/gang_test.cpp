// SPDX-License-Identifier: Apache-2.0
#include "placement/gang.h"

#include <gtest/gtest.h>

#include "placement/policies.h"

namespace penstock::placement {
namespace {

constexpr Request kOne{.cpu_milli = 1000, .devices = 1, .device_milli = kWholeDevice};

Placer placer_of(const std::vector<NodeSpec>& specs) {
    std::vector<Node> nodes;
    nodes.reserve(specs.size());
    for (const NodeSpec& spec : specs) nodes.push_back(make_node(spec));
    const std::vector<Request> workload{kOne};
    return Placer(
        std::move(nodes),
        make_policy("fgd", {.workload = target_workload(workload), .models = 2}).value()
    );
}

NodeSpec node(std::uint32_t site, std::uint32_t rack, int devices = 8) {
    return {
        .cpu_milli = 64000,
        .devices = devices,
        .model = 1,
        .devices_per_domain = 4,
        .rack = rack,
        .site = site
    };
}

// "level: node/devices …", a node's tasks together.
std::string show(const std::optional<GangPlacement>& placed) {
    if (!placed) return "none";
    constexpr std::array kNames = {"domain", "node", "rack", "site", "cluster"};
    std::map<NodeIndex, DeviceMask> nodes;
    for (const Placement& task : placed->tasks) nodes[task.node] |= task.devices;
    std::string text = std::string(kNames[static_cast<std::size_t>(placed->level)]) + ":";
    for (const auto& [index, devices] : nodes)
        text += " " + std::to_string(index) + "/" + std::to_string(devices);
    return text;
}

std::string place(Placer& placer, std::int32_t count, Level widest = Level::cluster) {
    const Topology topology(placer.nodes());
    const ShapeId shape = placer.intern(kOne).value();
    return show(place_gang(placer, topology, {.shape = shape, .count = count, .widest = widest}));
}

TEST(Gang, TakesTheSmallestCellThatHoldsIt) {
    Placer placer = placer_of({node(0, 0), node(0, 0), node(0, 1), node(1, 0)});

    EXPECT_EQ(place(placer, 3), "domain: 0/7");
    EXPECT_EQ(place(placer, 6), "node: 1/63");
    EXPECT_EQ(place(placer, 7), "node: 2/127");
}

TEST(Gang, TakesTheTightestRackAndBreaksFewNodes) {
    Placer placer = placer_of({node(0, 0), node(0, 0), node(0, 0), node(0, 1), node(0, 1)});

    EXPECT_EQ(place(placer, 12), "rack: 3/255 4/15");
}

TEST(Gang, SpreadsNoWiderThanAllowed) {
    Placer placer = placer_of({node(0, 0), node(1, 0)});

    EXPECT_EQ(place(placer, 9, Level::site), "none");
    EXPECT_EQ(place(placer, 9), "cluster: 0/255 1/1");
}

TEST(Gang, LeavesNoTraceWhenItDoesNotFit) {
    Placer placer = placer_of({node(0, 0), node(0, 1)});
    const std::vector<Node> before = placer.nodes();

    EXPECT_EQ(place(placer, 17), "none");
    EXPECT_EQ(placer.nodes(), before);
}

}  // namespace
}  // namespace penstock::placement
