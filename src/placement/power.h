// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "placement/cluster.h"

namespace penstock::placement {

// What a node with one device model draws, in watts.
struct PowerProfile {
    std::int32_t device_idle = 0;
    std::int32_t device_full = 0;
    std::int32_t socket_idle = 0;
    std::int32_t socket_full = 0;
    std::int32_t cores_per_socket = 1;
};
using PowerTable = std::vector<PowerProfile>;  // by device model

// Watts of a node (the model of PWR, CCGrid 2025): a device with any task counts as full. Two
// virtual CPUs are one core; a socket counts as full while one of its cores is busy, tasks filling
// socket after socket. Exact integers.
std::int32_t watts(const Node& node, const PowerProfile& profile);

}  // namespace penstock::placement
