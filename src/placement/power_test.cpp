// SPDX-License-Identifier: Apache-2.0
#include "placement/power.h"

#include <gtest/gtest.h>

namespace penstock::placement {
namespace {

constexpr PowerProfile kProfile{
    .device_idle = 10,
    .device_full = 70,
    .socket_idle = 20,
    .socket_full = 165,
    .cores_per_socket = 24
};

TEST(Power, AnIdleNodeDrawsWhatItsPartsDrawIdle) {
    const Node node = make_node({.cpu_milli = 96000, .devices = 2, .model = 1});

    EXPECT_EQ(watts(node, kProfile), 2 * 10 + 2 * 20);  // 48 cores on two sockets
}

TEST(Power, ADeviceWithAnyTaskCountsAsFullAndABusyCoreWakesItsSocket) {
    Node node = make_node({.cpu_milli = 96000, .devices = 2, .model = 1});
    node.free[1] = 900;
    node.cpu_free -= 1000;  // half a core

    EXPECT_EQ(watts(node, kProfile), 10 + 70 + 165 + 20);

    node.cpu_free = 96000 - 49000;  // 24.5 cores
    EXPECT_EQ(watts(node, kProfile), 10 + 70 + 165 + 165);
}

}  // namespace
}  // namespace penstock::placement
