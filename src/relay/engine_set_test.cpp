// SPDX-License-Identifier: Apache-2.0
#include "relay/engine_set.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace penstock::relay {
namespace {

constexpr Duration kNow = 100s;

TEST(EngineSet, PrefersTheOneWithFewerRequestsInFlight) {
    EngineSet engines(2);
    SeededRandom random(1);
    for (int n = 0; n < 100; ++n) ASSERT_TRUE(engines.begin(random, kNow, {}));
    EXPECT_EQ(engines.in_flight(0), 50);
    EXPECT_EQ(engines.in_flight(1), 50);
}

TEST(EngineSet, SpreadsOverManyWithinAFewRequests) {
    EngineSet engines(100);
    SeededRandom random(2);
    for (int n = 0; n < 1000; ++n) ASSERT_TRUE(engines.begin(random, kNow, {}));
    std::vector<std::int64_t> loads;
    for (std::size_t n = 0; n < engines.size(); ++n) loads.push_back(engines.in_flight(n));
    // Of one draw the fullest would have about 20.
    EXPECT_LE(std::ranges::max(loads), 14);
    EXPECT_GE(std::ranges::min(loads), 5);
}

TEST(EngineSet, AsksNobodyTwiceForOneRequest) {
    EngineSet engines(3);
    SeededRandom random(3);
    std::vector<std::size_t> tried;
    for (int n = 0; n < 3; ++n) {
        const std::optional<std::size_t> engine = engines.begin(random, kNow, tried);
        ASSERT_TRUE(engine);
        EXPECT_EQ(std::ranges::count(tried, *engine), 0);
        tried.push_back(*engine);
    }
    EXPECT_FALSE(engines.begin(random, kNow, tried));
}

TEST(EngineSet, SetsAsideLongerEachTimeUntilAnAnswer) {
    EngineSet engines(1);
    SeededRandom random(4);
    Duration now = kNow;
    for (const Duration aside : {1s, 2s, 4s, 8s, 16s, 30s, 30s}) {
        engines.failed(0, now);
        EXPECT_EQ(engines.available(now), 0U);
        EXPECT_EQ(engines.until_available(now), aside);
        EXPECT_FALSE(engines.begin(random, now + aside - 1us, {}));
        now += aside;
        EXPECT_EQ(engines.available(now), 1U);
        ASSERT_TRUE(engines.begin(random, now, {}));
        engines.finish(0);
    }
    engines.answered(0);
    engines.failed(0, now);
    EXPECT_EQ(engines.until_available(now), 1s);
    EXPECT_EQ(engines.in_flight(0), 0);
}

TEST(EngineSet, FindsTheOnlyOneOfManyThatIsLeft) {
    EngineSet engines(EngineSet::kEnginesMax);
    SeededRandom random(5);
    for (std::size_t n = 0; n < engines.size(); ++n)
        if (n != 700) engines.failed(n, kNow);
    for (int n = 0; n < 100; ++n) EXPECT_EQ(engines.begin(random, kNow, {}), 700U);
}

}  // namespace
}  // namespace penstock::relay
