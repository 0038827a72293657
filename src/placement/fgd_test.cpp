// SPDX-License-Identifier: Apache-2.0
#include "placement/fgd.h"

#include <gtest/gtest.h>

#include <cmath>

namespace penstock::placement {
namespace {

constexpr Request kShare{.cpu_milli = 1000, .devices = 1, .device_milli = 600};
constexpr Request kWhole{.cpu_milli = 1000, .devices = 1, .device_milli = kWholeDevice};

FgdPolicy policy_of(const std::vector<Node>& nodes) {
    // Half of the target workload asks for a share, half for a whole device.
    const std::vector<Request> workload{kShare, kWhole};
    FgdPolicy policy(FragmentationMeter(target_workload(workload), 2));
    policy.begin(nodes);
    return policy;
}

// floor(100 / (1 + exp(−D / 1000))).
Score score_for(double fall) {
    return static_cast<Score>(std::floor(100.0 / (1.0 + std::exp(-fall / 1000.0))));
}

TEST(Fgd, ScoresByTheFallOfTheExpectedFragment) {
    const std::vector<Node> nodes{make_node({.cpu_milli = 64000, .devices = 2, .model = 1})};
    const FgdPolicy policy = policy_of(nodes);

    // A share leaves 400 milli that neither can use: the fragment grows by 400.
    EXPECT_EQ(policy.choose(0, nodes[0], kShare).score, score_for(-400));
    EXPECT_EQ(policy.choose(0, nodes[0], kWhole).score, score_for(0));
}

TEST(Fgd, TheFastPathOfSharesEqualsTheGeneralOne) {
    Node node = make_node({.cpu_milli = 3000, .devices = 4, .model = 1});
    node.free = {1000, 700, 600, 1000};
    const FgdPolicy policy = policy_of({node});

    const Choice fast = policy.choose(0, node, kShare);
    const Choice general = policy.Policy::choose(0, node, kShare);

    EXPECT_EQ(fast.score, general.score);
    EXPECT_EQ(fast.devices, general.devices);
    EXPECT_EQ(fast.devices, 0b0100);  // what exactly fits leaves no fragment
}

}  // namespace
}  // namespace penstock::placement
