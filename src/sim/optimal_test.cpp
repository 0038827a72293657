// SPDX-License-Identifier: Apache-2.0
#include "sim/optimal.h"

#include <gtest/gtest.h>

#include "sim/optimal_instance.h"

namespace penstock::sim {
namespace {

Progress silent() {
    static const SystemClock kClock;
    return Progress(kClock, [](const std::string&, std::size_t, std::size_t) {});
}

TEST(Optimal, TheServerIsWithinOnePercentOnAverageAndFiveAtWorst) {
    Progress progress = silent();
    const OptimalReport report = *measure_optimal({}, progress);
    const WayOfDeciding& server = report.ways.at(0);
    ASSERT_EQ(server.way, "server");
    EXPECT_EQ(report.instances, 1000);
    EXPECT_EQ(server.fewer_placed, 0);
    EXPECT_EQ(server.out_of_order, 0);
    EXPECT_LE(server.loss_mean, 0.01);
    EXPECT_LE(server.loss_worst, 0.05);
    const WayOfDeciding& in_turn = report.ways.at(2);
    EXPECT_GT(in_turn.loss_mean, server.loss_mean) << "or nothing has to be decided together";
}

TEST(Optimal, InstancesAreRepeatableAndAskForDevicesWithAllWeights) {
    std::int64_t with_devices = 0;
    std::int64_t secure = 0;
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
        const OptimalInstance one(seed, 6, 8);
        const OptimalInstance again(seed, 6, 8);
        ASSERT_EQ(one.tasks(), again.tasks());
        for (std::size_t i = 0; i < one.tasks(); ++i) {
            EXPECT_EQ(one.alone()[i], again.alone()[i]);
            with_devices += one.alone()[i].request.accelerator ? 1 : 0;
            secure += one.alone()[i].strategy.security > 0 ? 1 : 0;
        }
    }
    EXPECT_GT(with_devices, 200);
    EXPECT_GT(secure, 200);
}

}  // namespace
}  // namespace penstock::sim
