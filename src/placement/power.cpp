// SPDX-License-Identifier: Apache-2.0
#include "placement/power.h"

namespace penstock::placement {
namespace {

constexpr std::int32_t kMilliPerCore = 2000;

std::int32_t ceil_div(std::int32_t value, std::int32_t by) { return (value + by - 1) / by; }

}  // namespace

std::int32_t watts(const Node& node, const PowerProfile& profile) {
    const std::int32_t cores = ceil_div(node.cpu_total, kMilliPerCore);
    const std::int32_t busy = cores - node.cpu_free / kMilliPerCore;
    const std::int32_t sockets = ceil_div(cores, profile.cores_per_socket);
    const std::int32_t active = ceil_div(busy, profile.cores_per_socket);
    const std::int32_t idle = node.devices_with(kWholeDevice);
    return profile.device_idle * idle + profile.device_full * (node.devices - idle) +
           profile.socket_full * active + profile.socket_idle * (sockets - active);
}

}  // namespace penstock::placement
