// SPDX-License-Identifier: Apache-2.0
#include "model/device_list.h"

#include <gtest/gtest.h>

#include "json/json.h"
#include "model/device_kinds.h"
#include "model/site.h"

namespace penstock {
namespace {

// Eight devices of one machine, in two halves.
std::vector<Device> machine(const std::string& name, Health of_last = Health::ok) {
    std::vector<Device> devices;
    for (std::int64_t i = 0; i < 8; ++i)
        devices.push_back(
            {.index = i,
             .vendor = "nvidia",
             .model = "H100",
             .uuid = "GPU-" + name + std::string(static_cast<std::size_t>(i), 'x'),
             .memory_mib = 81920,
             .numa_node = i / 4,
             .peak_tflops = {{"bf16", 989.0}},
             .board_watts = 700,
             .health = i == 7 ? of_last : Health::ok}
        );
    return devices;
}
std::vector<Device> without_uuids(std::vector<Device> devices) {
    for (Device& device : devices) device.uuid.clear();
    return devices;
}

TEST(DeviceList, GivesBackWhatWasPutIn) {
    std::vector<Device> devices = machine("a", Health::failed);
    devices[3].index = std::numeric_limits<std::int64_t>::max();
    devices[4].uuid.clear();

    const DeviceList list(devices);

    EXPECT_EQ(list.to_vector(), devices);
    EXPECT_EQ(std::vector<Device>(list.begin(), list.end()), devices);
    EXPECT_EQ(list.kind(7).health, Health::failed);
    EXPECT_EQ(list.kind(7).uuid, "");
    EXPECT_TRUE(DeviceList().to_vector().empty());
}

TEST(DeviceList, IsEqualByItsDevices) {
    const DeviceList one(machine("a"));

    EXPECT_EQ(one, DeviceList(machine("a")));
    EXPECT_NE(one, DeviceList(machine("b")));
    EXPECT_NE(one, DeviceList(machine("a", Health::failed)));
    EXPECT_NE(one, DeviceList());
    EXPECT_EQ(DeviceList(), DeviceList(std::vector<Device>()));
}

TEST(DeviceList, GrowsWithoutChangingItsCopies) {
    DeviceList list(machine("a"));
    const DeviceList copy = list;

    list.push_back({.index = 8, .model = "A100"});

    EXPECT_EQ(copy.size(), 8U);
    EXPECT_EQ(list.size(), 9U);
    EXPECT_EQ(list[8].model, "A100");
    EXPECT_EQ(list[0], copy[0]);
}

TEST(DeviceList, IsAListOfDevicesInJson) {
    Node node{.name = "n", .devices = machine("a")};
    const std::string text = json::print(node);

    EXPECT_NE(text.find(json::print(machine("a")[5])), std::string::npos) << text;
    const Result<Node> again = json::parse<Node>(text);
    ASSERT_TRUE(again) << to_string(again.error());
    EXPECT_EQ(*again, node);
}

TEST(DeviceKinds, KeepWhatNodesHaveInCommonOnce) {
    DeviceKinds kinds;
    const DeviceList a = kinds.shared(machine("a")), b = kinds.shared(machine("b"));
    const DeviceList broken = kinds.shared(machine("c", Health::failed));

    EXPECT_EQ(a, DeviceList(machine("a")));
    EXPECT_EQ(&a.kind(0), &b.kind(3));
    EXPECT_EQ(&a.kind(4), &broken.kind(6));
    EXPECT_EQ(broken.kind(7).health, Health::failed);
    EXPECT_EQ(kinds.kinds(), 3U);
}

TEST(DeviceKinds, KeepEqualListsWithoutUuidsOnce) {
    DeviceKinds kinds;
    const DeviceList one = kinds.shared(without_uuids(machine("a")));
    const DeviceList same = kinds.shared(without_uuids(machine("b")));
    const DeviceList other = kinds.shared(without_uuids(machine("b", Health::failed)));

    EXPECT_TRUE(one.same_as(same));
    EXPECT_FALSE(one.same_as(other));
    EXPECT_EQ(other, DeviceList(without_uuids(machine("b", Health::failed))));
}

TEST(DeviceKinds, ForgetWhatNobodyHasAnyMore) {
    DeviceKinds kinds;
    for (std::int64_t i = 0; i < 10'000; ++i)
        (void)kinds.shared(DeviceList{{.model = "H100", .memory_mib = i}});

    EXPECT_LT(kinds.kinds(), 300U);
}

}  // namespace
}  // namespace penstock
