// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "placement/largest_node.h"
#include "placement/policies.h"

namespace penstock::placement {
namespace {

// The node whose free CPU and devices are least aligned with what is asked (Tetris, SIGCOMM 2014,
// turned to packing): 1 − the mean of the products, in whole percent. The tightest device.
class DotProductPolicy final : public Policy {
  public:
    void begin(const std::vector<Node>& nodes) override { largest_ = LargestNode::of(nodes); }

    Score score(NodeIndex, const Node& node, const Request& request, DeviceMask) const override {
        const auto cpu_max = static_cast<double>(largest_.cpu_milli);
        const auto milli_max = static_cast<double>(largest_.device_milli);
        const double cpu = (node.cpu_free / cpu_max) * (request.cpu_milli / cpu_max);
        const double milli = (node.free_milli() / milli_max) * (request.total_milli() / milli_max);
        return static_cast<Score>(std::floor(100.0 * (1.0 - (cpu + milli) / 2.0)));
    }

    Choice choose(NodeIndex index, const Node& node, const Request& request) const override {
        return {score(index, node, request, 0), plain_devices(node, request)};
    }

  private:
    LargestNode largest_;
};

}  // namespace

std::unique_ptr<Policy> make_dot_product(const PolicyInputs&) {
    return std::make_unique<DotProductPolicy>();
}

}  // namespace penstock::placement
