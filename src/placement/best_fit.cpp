// SPDX-License-Identifier: Apache-2.0
#include "placement/largest_node.h"
#include "placement/policies.h"

namespace penstock::placement {
namespace {

// The node with the least CPU and device share left over, each as a part of the largest node's, in
// whole percent; on it the tightest device.
class BestFitPolicy final : public Policy {
  public:
    void begin(const std::vector<Node>& nodes) override { largest_ = LargestNode::of(nodes); }

    Score score(NodeIndex, const Node& node, const Request& request, DeviceMask) const override {
        const std::int64_t cpu = node.cpu_free - request.cpu_milli;
        const std::int64_t milli = node.free_milli() - request.total_milli();
        // floor(100 × (1 − (cpu / largest + milli / largest) / 2)) in integers.
        const std::int64_t whole = largest_.cpu_milli * largest_.device_milli;
        const std::int64_t left = 50 * (cpu * largest_.device_milli + milli * largest_.cpu_milli);
        return static_cast<Score>((100 * whole - left) / whole);
    }

    Choice choose(NodeIndex index, const Node& node, const Request& request) const override {
        return {score(index, node, request, 0), plain_devices(node, request)};
    }

  private:
    LargestNode largest_;
};

}  // namespace

std::unique_ptr<Policy> make_best_fit(const PolicyInputs&) {
    return std::make_unique<BestFitPolicy>();
}

}  // namespace penstock::placement
