// SPDX-License-Identifier: Apache-2.0
#include "placement/policy.h"

namespace penstock::placement {

Choice Policy::choose(NodeIndex index, const Node& node, const Request& request) const {
    if (request.is_share())
        return best_share(node, request, [&](int device) {
            return score(index, node, request, DeviceMask{1} << device);
        });
    const DeviceMask devices = plain_devices(node, request);
    return {score(index, node, request, devices), devices};
}

DeviceMask tightest_device(const Node& node, const Request& request) {
    int best = -1;
    for (int i = 0; i < node.devices; ++i) {
        const std::uint16_t free = node.free[static_cast<std::size_t>(i)];
        if (free < request.device_milli) continue;
        if (best < 0 || free < node.free[static_cast<std::size_t>(best)]) best = i;
    }
    return best < 0 ? 0 : DeviceMask{1} << best;
}

DeviceMask plain_devices(const Node& node, const Request& request) {
    if (request.cpu_only()) return 0;
    return request.is_share() ? tightest_device(node, request) : lowest_devices(node, request);
}

}  // namespace penstock::placement
