// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <vector>

#include "placement/cluster.h"

namespace penstock::placement {

// The largest amounts any node has: what vectors of CPU and devices are normalised by.
struct LargestNode {
    std::int64_t cpu_milli = 1;
    std::int64_t device_milli = kWholeDevice;

    static LargestNode of(const std::vector<Node>& nodes) {
        LargestNode largest;
        for (const Node& node : nodes) {
            largest.cpu_milli = std::max<std::int64_t>(largest.cpu_milli, node.cpu_total);
            largest.device_milli = std::max<std::int64_t>(
                largest.device_milli, std::int64_t{node.devices} * kWholeDevice
            );
        }
        return largest;
    }
};

}  // namespace penstock::placement
