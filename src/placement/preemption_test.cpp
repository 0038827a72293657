// SPDX-License-Identifier: Apache-2.0
#include "placement/preemption.h"

#include <gtest/gtest.h>

#include "placement/policies.h"

namespace penstock::placement {
namespace {

constexpr Request kOne{.cpu_milli = 1000, .devices = 1, .device_milli = kWholeDevice};

// Two racks of one node with four devices each, all taken by tasks of the given costs.
class PreemptionTest : public testing::Test {
  protected:
    PreemptionTest()
        : meter_(workload(), 2),
          placer_(nodes(), make_policy("fgd", {.workload = workload(), .models = 2}).value()),
          topology_(placer_.nodes()),
          residents_(placer_.nodes().size()),
          shape_(placer_.intern(kOne).value()) {}

    static std::vector<WorkloadShape> workload() {
        const std::vector<Request> requests{kOne};
        return target_workload(requests);
    }
    static std::vector<Node> nodes() {
        const NodeSpec spec{.cpu_milli = 64000, .devices = 4, .model = 1};
        NodeSpec other = spec;
        other.rack = 1;
        return {make_node(spec), make_node(other)};
    }
    void run(NodeIndex node, int device, std::int32_t priority, std::int64_t seconds_lost) {
        const Placement placement{shape_, node, DeviceMask{1} << device};
        placer_.take(placement);
        residents_.add({placement, priority, seconds_lost});
    }
    std::string preempt(std::int32_t count, std::int32_t priority) {
        const Gang gang{.shape = shape_, .count = count};
        const auto result =
            placement::preempt(placer_, topology_, residents_, gang, priority, meter_);
        if (!result) return "none";
        std::string text;
        for (const ResidentId id : result->victims) text += std::to_string(id) + " ";
        return text + "lost " + std::to_string(result->device_seconds_lost);
    }

    FragmentationMeter meter_;
    Placer placer_;
    Topology topology_;
    Residents residents_;
    ShapeId shape_;
};

TEST_F(PreemptionTest, PrefersTheLowestPriorityThenTheLeastWorkLost) {
    run(0, 0, 1, 10);
    run(0, 1, 0, 900);
    run(0, 2, 0, 300);
    run(0, 3, 0, 500);
    run(1, 0, 1, 1);
    run(1, 1, 1, 1);
    run(1, 2, 1, 1);
    run(1, 3, 1, 1);

    EXPECT_EQ(preempt(2, 5), "2 3 lost 800000");
}

TEST_F(PreemptionTest, UsesWhatIsFreeBeforeItStopsAnyone) {
    run(0, 0, 0, 10);
    run(0, 1, 0, 20);
    run(0, 2, 0, 30);

    EXPECT_EQ(preempt(4, 5), "lost 0");  // the other rack is free
    EXPECT_EQ(preempt(2, 5), "0 lost 10000");
}

TEST_F(PreemptionTest, NeverStopsEqualsAndLeavesNoTrace) {
    for (int device = 0; device < 4; ++device) run(0, device, 5, 1);
    for (int device = 0; device < 4; ++device) run(1, device, 4, 1);
    const std::vector<Node> before = placer_.nodes();

    EXPECT_EQ(preempt(5, 5), "none");
    EXPECT_EQ(placer_.nodes(), before);
    EXPECT_EQ(preempt(4, 5), "4 5 6 7 lost 4000");
}

}  // namespace
}  // namespace penstock::placement
