// SPDX-License-Identifier: Apache-2.0
#include "placement/topology.h"

#include <algorithm>
#include <array>
#include <map>

#include "placement/verdict.h"

namespace penstock::placement {
namespace {

std::int32_t times(std::int32_t have, std::int32_t each) {
    return each <= 0 ? std::numeric_limits<std::int32_t>::max() : have / each;
}

std::int32_t host_capacity(const Node& node, const Request& request) {
    if (node.closed) return 0;
    std::int32_t most = times(node.cpu_free, request.cpu_milli);
    if (node.memory_total != kMemoryUnknown)
        most = std::min(most, times(node.memory_free, request.memory_mib));
    return most;
}

}  // namespace

Topology::Topology(const std::vector<Node>& nodes) {
    std::map<std::uint32_t, std::map<std::uint32_t, std::vector<NodeIndex>>> cells;
    for (NodeIndex i = 0; i < nodes.size(); ++i) cells[nodes[i].site][nodes[i].rack].push_back(i);
    for (auto& [site, racks] : cells) {
        sites_.emplace_back();
        for (auto& [rack, members] : racks) {
            sites_.back().push_back(static_cast<std::uint32_t>(racks_.size()));
            racks_.push_back({std::move(members), static_cast<std::uint32_t>(sites_.size() - 1)});
        }
    }
}

std::vector<DeviceMask> domain_masks(const Node& node) {
    std::array<DeviceMask, kDevicesPerNodeMax> masks{};
    for (int i = 0; i < node.devices; ++i) masks[node.domain_of(i)] |= DeviceMask{1} << i;
    std::vector<DeviceMask> present;
    for (const DeviceMask mask : masks)
        if (mask != 0) present.push_back(mask);
    return present;
}

std::int32_t capacity_on(const Node& node, const Request& request, DeviceMask devices) {
    const std::int32_t host = host_capacity(node, request);
    if (request.cpu_only()) return host;
    if (!may_use(node, request)) return 0;
    if (host == 0) return 0;
    std::int32_t room = 0;
    for (DeviceMask rest = devices; rest != 0; rest &= rest - 1) {
        const std::int32_t free = node.free[static_cast<std::size_t>(std::countr_zero(rest))];
        if (request.is_share())
            room += free / request.device_milli;
        else
            room += free >= request.device_milli ? 1 : 0;
    }
    return std::min(host, request.is_share() ? room : room / request.devices);
}

std::int32_t capacity(const Node& node, const Request& request) {
    const DeviceMask all = (DeviceMask{1} << node.devices) - 1;
    if (!request.one_domain || node.domains == 0) return capacity_on(node, request, all);
    std::int32_t sum = 0;
    for (const DeviceMask domain : domain_masks(node)) sum += capacity_on(node, request, domain);
    return std::min(sum, host_capacity(node, request));
}

}  // namespace penstock::placement
