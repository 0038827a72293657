// SPDX-License-Identifier: Apache-2.0
#include "dispatch/host.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace penstock::dispatch {
namespace {

struct Groups {
    std::vector<std::optional<std::int64_t>> numa = {};
    std::vector<std::optional<std::int64_t>> links = {};
};

// Eight devices of one model.
Host host_of(const Groups& groups) {
    Node node;
    for (std::int64_t i = 0; i < 8; ++i) {
        Device device{.index = i, .model = "H100", .health = Health::ok};
        if (!groups.numa.empty()) device.numa_node = groups.numa[static_cast<std::size_t>(i)];
        if (!groups.links.empty()) device.link_domain = groups.links[static_cast<std::size_t>(i)];
        node.devices.push_back(std::move(device));
    }
    node.total = {.cpu_milli = 64000, .memory_mib = 65536, .accelerator_milli = {{"H100", 8000}}};
    HostKinds kinds;
    return Host(node, kinds);
}

DevicePositions chosen(const Host& host, std::int64_t devices) {
    return host.choose({.model = "H100", .count_milli = devices * 1000});
}

TEST(Host, TakesSeveralDevicesOfTheTightestNumaNodeThatHoldsThem) {
    const Host host = host_of({.numa = {0, 0, 0, 0, 0, 1, 1, 1}});

    EXPECT_EQ(chosen(host, 2), (DevicePositions{5, 6})) << "the five stay whole for more";
    EXPECT_EQ(chosen(host, 4), (DevicePositions{0, 1, 2, 3}));
    EXPECT_EQ(chosen(host, 6), (DevicePositions{0, 1, 2, 3, 4, 5})) << "no node has as many";
}

TEST(Host, PrefersDevicesWithLinksToThoseOfOneNumaNode) {
    const Host host = host_of(
        {.numa = {0, 0, 0, 0, 1, 1, 1, 1},
         .links = {std::nullopt, std::nullopt, 1, 2, 1, 2, std::nullopt, std::nullopt}}
    );

    EXPECT_EQ(chosen(host, 2), (DevicePositions{2, 4}));
    EXPECT_EQ(chosen(host, 3), (DevicePositions{0, 1, 2}));
}

TEST(Host, CountsOnlyDevicesThatAreWhollyFree) {
    Host host = host_of({.numa = {0, 0, 0, 0, 0, 1, 1, 1}});
    SeededRandom random{1};
    IdSource ids{random};
    host.hold(
        ids.next<AttemptId>(Time{}),
        {.request = {.accelerator = Accelerator{.model = "H100", .count_milli = 500}},
         .devices = {5}}
    );

    EXPECT_EQ(chosen(host, 3), (DevicePositions{0, 1, 2}));
    EXPECT_EQ(chosen(host, 2), (DevicePositions{6, 7}));
}

}  // namespace
}  // namespace penstock::dispatch
