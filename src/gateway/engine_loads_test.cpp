// SPDX-License-Identifier: Apache-2.0
#include "gateway/engine_loads.h"

#include <gtest/gtest.h>

#include "gateway/gateway_fixture.h"

// Engines that tell how full they are, and those that do not.
namespace penstock::gateway {
namespace {

constexpr std::string_view kFull =
    "vllm:kv_cache_usage_perc{engine=\"0\"} 1.0\nvllm:num_requests_waiting{engine=\"0\"} 9\n";
constexpr std::string_view kEmpty =
    "vllm:kv_cache_usage_perc{engine=\"0\"} 0.0\nvllm:num_requests_waiting{engine=\"0\"} 0\n";

// Two engines of one model.
struct Two : Fixture {
    Two(std::optional<std::string_view> first, std::optional<std::string_view> second) {
        add_engine(whole_answer());
        add_engine(whole_answer());
        if (first) engines[0]->metrics = std::string(*first);
        if (second) engines[1]->metrics = std::string(*second);
        apply_routes();
    }
    void wait_until_asked(std::size_t engine, int times) {
        wait_until([&] { return engines[engine]->metrics_asked >= times; }, "its load to be asked");
    }
};

TEST(EngineLoads, AnEngineWhoseMemoryIsFullIsAskedLater) {
    Two f(kFull, kEmpty);
    // The answer to the last question but one has come.
    f.wait_until_asked(0, 2);
    f.wait_until_asked(1, 2);
    for (int n = 0; n < 10; ++n) EXPECT_EQ(f.ask(std::string(kChat)).status, 200);
    EXPECT_EQ(f.engines[0]->requests.size(), 0U);
    EXPECT_EQ(f.engines[1]->requests.size(), 10U);
}

TEST(EngineLoads, AnEngineThatTellsNothingIsServedAndAskedSeldom) {
    Two f(kEmpty, std::nullopt);
    f.wait_until_asked(1, 1);
    f.wait_until_asked(0, 3);
    EXPECT_EQ(f.engines[1]->metrics_asked, 1);
    std::size_t of_the_silent = 0;
    for (int n = 0; n < 40; ++n) EXPECT_EQ(f.ask(std::string(kChat)).status, 200);
    of_the_silent = f.engines[1]->requests.size();
    EXPECT_GT(of_the_silent, 5U);
    EXPECT_LT(of_the_silent, 35U);

    f.clock.ahead = EngineLoads::kSilentFirst + 1s;
    f.wait_until_asked(1, 2);
}

TEST(EngineLoads, WhereThereIsNoChoiceNobodyIsAsked) {
    Two f(kEmpty, kEmpty);
    f.add_engine(whole_answer(), "alone");
    f.engines[2]->metrics = kEmpty;
    const int asked = f.engines[0]->metrics_asked;
    f.wait_until_asked(0, asked + 2);
    EXPECT_EQ(f.engines[2]->metrics_asked, 0);
}

TEST(EngineLoads, TheQuestionShowsTheKeyOfTheEndpoint) {
    Two f(kEmpty, kEmpty);
    f.routes[1].api_key = "sk-of-the-provider";
    f.apply_routes();
    f.wait_until(
        [&] { return f.engines[1]->metrics_key == "Bearer sk-of-the-provider"; }, "the key"
    );
    EXPECT_EQ(f.engines[0]->metrics_key, "Bearer provider-secret") << "of the other one";
}

}  // namespace
}  // namespace penstock::gateway
