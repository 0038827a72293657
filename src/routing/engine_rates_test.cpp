// SPDX-License-Identifier: Apache-2.0
#include "routing/engine_rates.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/random.h"
#include "routing/endpoint_pool.h"

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
    for (std::int64_t i = 1; i < 100; ++i)
        rates.learn(
            {i * 100, static_cast<double>(i)}, milliseconds(static_cast<double>(1000 - 10 * i)),
            kStart
        );
    const auto found = rates.rates(kStart);
    EXPECT_GE(found->base_ms, 0);
    EXPECT_GE(found->ms_per_token, 0);
    EXPECT_GE(found->ms_per_block, 0);
}

// Engines of one model that answer any calls, each so many times as slow as the first.
struct Engines {
    EngineRates common{EndpointPool::kCommonKept};
    std::vector<OwnRates> engines;
    SeededRandom random{11};

    explicit Engines(std::size_t count) : engines(count) {}
    void answer(std::size_t engine, double times, double network_ms = 0) {
        const auto tokens = static_cast<std::int64_t>(random.below(20'000));
        // Who has long prompts holds long contexts.
        const double blocks = static_cast<double>(tokens) / 400 + 40 * random.unit();
        const double noise = 0.7 + 0.6 * random.unit();
        const double work = 30 + 0.05 * static_cast<double>(tokens) + 0.1 * blocks;
        const EngineQueue queue{tokens, blocks};
        const Duration shown = milliseconds(times * work * noise + network_ms);
        engines[engine].learn(queue, shown, kStart, common, network_ms);
        common.learn(queue, shown - milliseconds(network_ms), kStart);
    }
    bool is_unlike(std::size_t engine) const { return engines[engine].unlike(kStart).has_value(); }
};

TEST(OwnRates, AnEngineIsTakenToBeLikeTheOthers) {
    Engines f(8);
    for (std::size_t i = 0; i < 2000; ++i) {
        f.answer(i % 8, 1);
        ASSERT_FALSE(f.is_unlike(i % 8)) << i;
    }
}

TEST(OwnRates, ASlowerOneIsKnownByTwentyAnswers) {
    Engines f(4);
    for (int i = 0; i < 20; ++i)
        for (std::size_t e = 0; e < 4; ++e) f.answer(e, e == 3 ? 3 : 1);
    ASSERT_TRUE(f.is_unlike(3));
    for (int i = 0; i < 100; ++i)
        for (std::size_t e = 0; e < 4; ++e) f.answer(e, e == 3 ? 3 : 1);
    EXPECT_NEAR(f.engines[3].unlike(kStart)->first_token_ms({10'000, 25}), 3 * 532.5, 250);
}

TEST(OwnRates, OneThatBecomesLikeTheOthersIsOneOfThem) {
    Engines f(4);
    for (int i = 0; i < 100; ++i)
        for (std::size_t e = 0; e < 4; ++e) f.answer(e, e == 3 ? 3 : 1);
    for (int i = 0; i < 400; ++i)
        for (std::size_t e = 0; e < 4; ++e) f.answer(e, 1);
    EXPECT_FALSE(f.is_unlike(3));
}

TEST(OwnRates, AFarEngineIsLikeTheOthersButForItsNetwork) {
    Engines f(4);
    for (int i = 0; i < 400; ++i)
        for (std::size_t e = 0; e < 4; ++e) f.answer(e, 1, e == 3 ? 300 : 0);
    EXPECT_FALSE(f.is_unlike(3));
    EXPECT_NEAR(f.common.rates(kStart)->first_token_ms({10'000, 25}), 532.5, 60);
}

}  // namespace
}  // namespace penstock::routing
