// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "base/check.h"
#include "placement/largest_node.h"
#include "placement/policies.h"

namespace penstock::placement {
namespace {

constexpr std::size_t kTags = kDevicesPerNodeMax + 1;
constexpr int kStep = 25;

// What a task asks for, as a tag: 0 for a share, else its number of devices.
std::size_t tag_of(const Request& request) {
    return request.device_milli < kWholeDevice ? 0 : request.devices;
}

// Tasks beside their like: nodes where all tasks ask alike, then nodes where one does, then idle
// ones, then others; fuller nodes first. CPU-only tasks go to the first node that fits.
class GpuClusteringPolicy final : public Policy {
  public:
    void begin(const std::vector<Node>& nodes) override {
        largest_ = LargestNode::of(nodes);
        tasks_.assign(nodes.size(), {});
    }
    void placed(NodeIndex index, const Node&, const Request& request) override {
        if (!request.cpu_only()) ++tasks_[index][tag_of(request)];
    }
    void released(NodeIndex index, const Node&, const Request& request) override {
        if (request.cpu_only()) return;
        std::uint16_t& count = tasks_[index][tag_of(request)];
        CHECK(count > 0, "only what was placed is released");
        --count;
    }

    Score score(NodeIndex index, const Node& node, const Request& request, DeviceMask)
        const override {
        if (request.cpu_only()) return 0;
        const auto& tasks = tasks_[index];
        int tags = 0;
        for (const std::uint16_t count : tasks) tags += count > 0 ? 1 : 0;
        const auto fullness = static_cast<int>(
            kStep * (largest_.device_milli - node.free_milli()) / largest_.device_milli
        );
        if (tasks[tag_of(request)] > 0)
            return static_cast<Score>(fullness + (tags == 1 ? 3 * kStep : 2 * kStep));
        return static_cast<Score>(fullness + (tags == 0 ? kStep : 0));
    }

    Choice choose(NodeIndex index, const Node& node, const Request& request) const override {
        return {score(index, node, request, 0), plain_devices(node, request)};
    }
    std::size_t bytes() const override { return tasks_.capacity() * sizeof(tasks_.front()); }

  private:
    LargestNode largest_;
    std::vector<std::array<std::uint16_t, kTags>> tasks_;
};

}  // namespace

std::unique_ptr<Policy> make_gpu_clustering(const PolicyInputs&) {
    return std::make_unique<GpuClusteringPolicy>();
}

}  // namespace penstock::placement
