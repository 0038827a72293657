// SPDX-License-Identifier: Apache-2.0
#include "placement/policies.h"

namespace penstock::placement {
namespace {

// In ten-thousandths of the whole; 0 of nothing is nothing.
std::int64_t part(std::int64_t left, std::int64_t whole) {
    return whole == 0 ? 0 : kScoreMax * left / whole;
}

// The emptiest node and device, for services that should not share a fate.
class SpreadPolicy final : public Policy {
  public:
    Score score(NodeIndex, const Node& node, const Request& request, DeviceMask devices)
        const override {
        const std::int64_t cpu = part(node.cpu_free - request.cpu_milli, node.cpu_total);
        if (request.cpu_only()) return static_cast<Score>(cpu);
        // The device counts a little, so that a share finds the emptiest one.
        std::int64_t device = 0;
        if (request.is_share())
            device = node.free[static_cast<std::size_t>(std::countr_zero(devices))];
        const std::int64_t milli = part(
            node.free_milli() - request.total_milli(), std::int64_t{node.devices} * kWholeDevice
        );
        return static_cast<Score>((49 * cpu + 49 * milli + 20 * device) / 100);
    }
    Score score_full() const override { return kScoreMax; }
};

}  // namespace

std::unique_ptr<Policy> make_spread(const PolicyInputs&) {
    return std::make_unique<SpreadPolicy>();
}

}  // namespace penstock::placement
