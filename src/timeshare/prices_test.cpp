// SPDX-License-Identifier: Apache-2.0
#include "timeshare/prices.h"

#include <gtest/gtest.h>

namespace penstock::timeshare {
namespace {

TEST(DevicePrices, AreNothingWhereAllHaveWhatTheyWant) {
    const Problem problem{
        .kinds = {{.devices = 2}, {.devices = 1}}, .jobs = {{.rate = {1, 1}}, {.rate = {1, 1}}}
    };
    EXPECT_EQ(
        device_prices(problem, {.kinds = 2, .values = {1, 0.5, 1, 0.5}}).of,
        (std::vector<double>{0, 0})
    );
}

// One device, three jobs: between what the second and the first would give for it.
TEST(DevicePrices, LieBetweenTheLastServedAndTheFirstThatIsNot) {
    const Problem problem{
        .kinds = {{.devices = 1}}, .jobs = {{.rate = {1}}, {.rate = {1}}, {.rate = {1}}}
    };
    const std::vector<double> prices =
        device_prices(problem, {.kinds = 1, .values = {0.9, 0.3, 0.5}}).of;
    EXPECT_GE(prices[0], 0.5 - 1e-9);
    EXPECT_LE(prices[0], 0.9 + 1e-9);
}

// A job of four devices bids a fourth of its worth for each.
TEST(DevicePrices, AreOfOneDeviceNotOfAJob) {
    const Problem problem{
        .kinds = {{.devices = 4}},
        .jobs = {{.devices = 4, .rate = {1}}, {.devices = 4, .rate = {1}}}
    };
    const std::vector<double> prices = device_prices(problem, {.kinds = 1, .values = {4, 2}}).of;
    EXPECT_GE(prices[0], 0.5 - 1e-9);
    EXPECT_LE(prices[0], 1 + 1e-9);
}

}  // namespace
}  // namespace penstock::timeshare
