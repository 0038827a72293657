// SPDX-License-Identifier: Apache-2.0
#include "placement/cluster.h"

#include "base/check.h"

namespace penstock::placement {
namespace {

DeviceMask with_room(const Node& node, std::uint16_t milli) {
    DeviceMask mask = 0;
    for (int i = 0; i < node.devices; ++i)
        if (node.free[static_cast<std::size_t>(i)] >= milli) mask |= DeviceMask{1} << i;
    return mask;
}

DeviceMask lowest(DeviceMask of, int count) {
    DeviceMask mask = 0;
    for (; count > 0; --count) {
        mask |= of & (~of + 1);
        of &= of - 1;
    }
    return mask;
}

}  // namespace

Node make_node(const NodeSpec& spec) {
    CHECK(spec.devices >= 0 && spec.devices <= kDevicesPerNodeMax, "readers of lists check it");
    Node node{
        .cpu_free = spec.cpu_milli,
        .memory_free = spec.memory_mib,
        .devices = static_cast<std::uint8_t>(spec.devices),
        .model = spec.model,
        .cpu_total = spec.cpu_milli,
        .memory_total = spec.memory_mib,
        .rack = spec.rack,
        .site = spec.site
    };
    for (int i = 0; i < spec.devices; ++i) {
        node.free[static_cast<std::size_t>(i)] = kWholeDevice;
        const int domain = spec.devices_per_domain == 0 ? 0 : i / spec.devices_per_domain;
        node.domains |= static_cast<std::uint64_t>(domain) << (4 * i);
    }
    return node;
}

DeviceMask lowest_devices(const Node& node, const Request& request) {
    const DeviceMask room = with_room(node, request.device_milli);
    const int wanted = request.devices;
    if (node.domains == 0)
        return std::popcount(room) >= wanted ? lowest(room, wanted) : DeviceMask{0};
    DeviceMask tightest = 0;
    for (unsigned domain = 0; domain < kDevicesPerNodeMax; ++domain) {
        DeviceMask inside = 0;
        for (int i = 0; i < node.devices; ++i)
            if (node.domain_of(i) == domain) inside |= DeviceMask{1} << i;
        inside &= room;
        if (std::popcount(inside) < wanted) continue;
        if (tightest == 0 || std::popcount(inside) < std::popcount(tightest)) tightest = inside;
    }
    if (tightest != 0) return lowest(tightest, wanted);
    if (request.one_domain || std::popcount(room) < wanted) return 0;
    return lowest(room, wanted);
}

}  // namespace penstock::placement
