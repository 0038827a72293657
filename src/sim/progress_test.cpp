// SPDX-License-Identifier: Apache-2.0
#include "sim/progress.h"

#include <gtest/gtest.h>

namespace penstock::sim {
namespace {

TEST(Progress, IsToldAtMostOnceASecond) {
    ManualClock clock(Time{});
    std::string told;
    Progress progress(clock, [&](const std::string& stage, std::size_t done, std::size_t total) {
        told += stage + " " + std::to_string(done) + "/" + std::to_string(total) + "\n";
    });
    progress.begin("first", 10);
    progress.done(1);
    clock.advance(1s);
    progress.done(2);
    progress.done(3);
    clock.advance(999ms);
    progress.done(4);
    progress.begin("second", 20);
    clock.advance(1ms);
    progress.done(1);

    EXPECT_EQ(told, "first 2/10\nsecond 1/20\n");
}

}  // namespace
}  // namespace penstock::sim
