// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "placement/policies.h"

namespace penstock::placement {
namespace {

constexpr int kBest = 100;
constexpr int kHalf = kBest / 2;
constexpr int kThird = kBest / 3;

// Devices that are already shared first, then free devices of used nodes, idle nodes last. CPU-only
// tasks go to the first node that fits.
class GpuPackingPolicy final : public Policy {
  public:
    Score score(NodeIndex, const Node& node, const Request& request, DeviceMask) const override {
        if (request.cpu_only()) return 0;
        const int idle = node.devices_with(kWholeDevice);
        if (idle == node.devices) return static_cast<Score>(std::max(kThird - idle, idle));
        auto free = node.free;
        std::sort(free.begin(), free.begin() + node.devices);
        int opened = 0;
        int left_percent = 0;
        int wanted = request.devices;
        for (int i = 0; i < node.devices && wanted > 0; ++i) {
            const int milli = free[static_cast<std::size_t>(i)];
            if (milli < request.device_milli) continue;
            --wanted;
            opened += milli == kWholeDevice ? 1 : 0;
            left_percent += milli * 100 / kWholeDevice;
        }
        if (opened > 0) return static_cast<Score>(std::max(kHalf - opened, kThird));
        return static_cast<Score>(std::max(kBest - left_percent / 10, kHalf));
    }

    Choice choose(NodeIndex index, const Node& node, const Request& request) const override {
        return {score(index, node, request, 0), plain_devices(node, request)};
    }
};

}  // namespace

std::unique_ptr<Policy> make_gpu_packing(const PolicyInputs&) {
    return std::make_unique<GpuPackingPolicy>();
}

}  // namespace penstock::placement
