// SPDX-License-Identifier: Apache-2.0
#include "routing/engine_rates.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace penstock::routing {
namespace {

const Time kStart = Time(1'700'000'000s);

Duration milliseconds(double value) { return Duration(static_cast<std::int64_t>(value * 1000)); }

TEST(EngineRates, SayNothingBeforeThereAreSamples) {
    EngineRates rates;
    for (int i = 0; i < EngineRates::kSamplesMin - 1; ++i) rates.learn({1000, 0}, 100ms, kStart);
    EXPECT_FALSE(rates.rates(kStart));
    rates.learn({1000, 0}, 100ms, kStart);
    EXPECT_TRUE(rates.rates(kStart));
    EXPECT_FALSE(rates.rates(kStart + EngineRates::kFreshFor + 1s));
}

TEST(EngineRates, FindWhatGeneratedTheSamples) {
    EngineRates rates;
    SeededRandom random(3);
    for (int i = 0; i < 400; ++i) {
        const auto tokens = static_cast<std::int64_t>(random.below(20'000));
        const double blocks = static_cast<double>(random.below(400));
        const double noise = 0.9 + 0.2 * random.unit();
        const double ms = (30 + 0.05 * static_cast<double>(tokens) + 0.4 * blocks) * noise;
        rates.learn({tokens, blocks}, milliseconds(ms), kStart);
    }
    const auto found = rates.rates(kStart);
    ASSERT_TRUE(found);
    EXPECT_NEAR(found->ms_per_token, 0.05, 0.005);
    EXPECT_NEAR(found->ms_per_block, 0.4, 0.15);
    EXPECT_NEAR(found->first_token_ms({10'000, 100}), 570, 40);
}

TEST(EngineRates, FollowAnEngineThatBecomesSlower) {
    EngineRates rates;
    for (int i = 0; i < 200; ++i) rates.learn({1000 + i, 0}, milliseconds(100), kStart);
    for (int i = 0; i < 300; ++i) rates.learn({1000 + i, 0}, milliseconds(400), kStart);
    EXPECT_NEAR(rates.rates(kStart)->first_token_ms({1150, 0}), 400, 20);
}

TEST(EngineRates, TellTermsApartThatGoTogether) {
    EngineRates rates;
    SeededRandom random(5);
    for (int i = 0; i < 12; ++i) {
        const auto tokens = static_cast<std::int64_t>(900 + random.below(200));
        const double blocks = static_cast<double>(tokens) / 16 + random.unit();
        rates.learn({tokens, blocks}, milliseconds(0.1 * static_cast<double>(tokens)), kStart);
    }
    EXPECT_NEAR(rates.rates(kStart)->first_token_ms({10'000, 0}), 1000, 1);
}

TEST(EngineRates, AreNeverNegative) {
    EngineRates rates;
    // The more there is to do the faster it is: no positive rate explains that.
    for (int i = 1; i < 100; ++i)
        rates.learn({i * 100, i * 1.0}, milliseconds(1000 - 10 * i), kStart);
    const auto found = rates.rates(kStart);
    EXPECT_GE(found->base_ms, 0);
    EXPECT_GE(found->ms_per_token, 0);
    EXPECT_GE(found->ms_per_block, 0);
}

}  // namespace
}  // namespace penstock::routing
