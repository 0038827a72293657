// SPDX-License-Identifier: Apache-2.0
#include "sim/serve.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "sim/serve_policy.h"
#include "sim/serve_sweep.h"

namespace penstock::sim {
namespace {

// `conversations` take turns; each turn repeats all that was said and adds two blocks.
std::vector<ServeRequest> conversations(std::size_t count, std::size_t turns, Duration pause) {
    std::vector<ServeRequest> trace;
    Duration at{};
    for (std::size_t turn = 1; turn <= turns; ++turn)
        for (std::size_t i = 0; i < count; ++i, at += pause) {
            ServeRequest request{.at = at, .output_tokens = 20};
            routing::BlockHash last = 0;
            for (std::size_t block = 0; block < 2 * turn; ++block)
                request.prompt.push_back(last = routing::chain_block(last, i * 1000 + block));
            request.input_tokens = static_cast<std::int64_t>(request.prompt.size()) * 512 + 100;
            trace.push_back(std::move(request));
        }
    return trace;
}

ServeResult run(std::string_view policy, std::span<const ServeRequest> trace) {
    ServeOptions options;
    options.policy = policy;
    options.replicas = 3;
    const auto result = run_serve(trace, options, nullptr);
    EXPECT_TRUE(result) << result.error().message;
    return *result;
}

TEST(Serve, EveryCallEndsWithEveryPolicy) {
    const auto trace = conversations(10, 5, 100ms);
    std::string calls;
    for (const std::string_view policy : serve_policy_names())
        calls += std::to_string(run(policy, trace).calls) + " ";
    EXPECT_EQ(calls, "50 50 50 50 50 50 50 ");
}

TEST(Serve, TheSameSeedGivesTheSameResult) {
    const auto trace = conversations(10, 5, 50ms);
    ServeOptions options;
    const ServeResult first = *run_serve(trace, options, nullptr);
    const ServeResult second = *run_serve(trace, options, nullptr);
    EXPECT_EQ(first.first_token_ms_p99, second.first_token_ms_p99);
    EXPECT_EQ(first.cache_hit_share, second.cache_hit_share);
    EXPECT_EQ(first.imbalance, second.imbalance);
}

TEST(Serve, PoliciesThatKnowCachesFindMore) {
    const auto trace = conversations(20, 8, 2s);
    const double blind = run("round_robin", trace).cache_hit_share;
    EXPECT_GT(run("penstock", trace).cache_hit_share, 1.3 * blind);
    EXPECT_GT(run("sglang", trace).cache_hit_share, 1.3 * blind);
    EXPECT_GT(run("dynamo", trace).cache_hit_share, 1.3 * blind);
}

TEST(Serve, ALoneEngineHasNoImbalance) {
    ServeOptions options{.replicas = 1};
    EXPECT_DOUBLE_EQ(run_serve(conversations(5, 3, 1s), options, nullptr)->imbalance, 1);
}

TEST(Serve, AFleetStartsFromNothingAndGoesBackToIt) {
    auto trace = conversations(4, 3, 2s);
    ServeRequest late = trace.front();
    late.at = 3h;
    trace.push_back(late);
    ServeOptions options;
    options.autoscale = tasks::AutoscaleTargets{
        .replicas_max = 4, .tokens_per_second = 5000, .first_token = 60s, .cold_start = 30s
    };
    const ServeResult result = *run_serve(trace, options, nullptr);
    EXPECT_EQ(result.cold_starts, 2);
    EXPECT_GT(result.first_token_ms_p99, 30'000);
    EXPECT_LT(result.replica_hours, 0.5);
}

TEST(Serve, NamesWhatCannotBeRun) {
    const auto trace = conversations(1, 1, 1s);
    const auto field = [&](const ServeOptions& options) {
        return run_serve(trace, options, nullptr).error().field;
    };
    EXPECT_EQ(field({.policy = "best"}), "policies");
    EXPECT_EQ(field({.rate = 0}), "rates");
    EXPECT_EQ(field({.replicas = 0}), "replicas");
    EXPECT_EQ(field({.engine = {.cache_tokens = 600}}), "cache-tokens");
}

TEST(ServeSweep, RunsEveryCaseAndAveragesItsSeeds) {
    const auto trace = conversations(4, 2, 100ms);
    ServeSweep sweep;
    sweep.rates = {1, 2};
    sweep.fleets = {"1", "auto"};
    sweep.policies = {"two_choices"};
    sweep.seeds = {1, 2, 3};
    sweep.autoscale = {.tokens_per_second = 1000, .first_token = 1s, .cold_start = 1s};
    const auto runs = run_sweep(trace, sweep, nullptr);
    ASSERT_TRUE(runs) << runs.error().message;
    EXPECT_EQ(runs->size(), 12U);
    const auto means = mean_over_seeds(*runs);
    ASSERT_EQ(means.size(), 4U);
    EXPECT_EQ(means[0].runs, 3U);
    EXPECT_EQ(std::ranges::count(serve_csv(*runs), '\n'), 13);
    EXPECT_EQ(serve_plot(means, "imbalance")->series.size(), 2U);
    EXPECT_EQ(serve_plot(means, "beauty").error().field, "plot-y");
    sweep.fleets = {"many"};
    EXPECT_EQ(run_sweep(trace, sweep, nullptr).error().field, "replicas");
}

}  // namespace
}  // namespace penstock::sim
