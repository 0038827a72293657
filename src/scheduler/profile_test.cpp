// SPDX-License-Identifier: Apache-2.0
#include "scheduler/profile.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace penstock::scheduler {
namespace {

// Of workload "a"; one without runs where there is none.
RunSummary summary_of(const History& history) { return history.find("a").value_or(RunSummary{}); }

TEST(ProfileTest, UnknownWorkloadHasNoSummary) { EXPECT_FALSE(History().find("never ran")); }

TEST(ProfileTest, QuantilesAreOfTheRunsAndAFewRunsGiveNoBounds) {
    History history;
    for (const int seconds : {50, 10, 40, 20, 30})
        history.add("a", {.run_time = std::chrono::seconds(seconds), .memory_peak_mib = seconds});
    const RunSummary summary = summary_of(history);
    EXPECT_EQ(summary.runs, 5);
    EXPECT_EQ(summary.p50, 30s);
    EXPECT_EQ(summary.p90, 50s);
    EXPECT_FALSE(summary.low);
    EXPECT_FALSE(summary.high);
    EXPECT_EQ(summary.memory_peak_mib, 50);
    EXPECT_EQ(
        basis_text(summary),
        "history of 5 runs, p50 30s, p90 50s, too few for bounds, memory peak 50 MiB"
    );
}

TEST(ProfileTest, LoadAndResultsAreThoseOfTheMedianRunThatWasMetered) {
    History history;
    for (const int of : {1, 2, 3})
        history.add("a", {.run_time = 1s, .cpu_milli = of * 1000, .result_bytes = of * 10});
    history.add("a", {.run_time = 1s});
    EXPECT_EQ(summary_of(history).cpu_milli, 2000);
    EXPECT_EQ(summary_of(history).result_bytes, 10);
    history.add("b", {.run_time = 1s});
    EXPECT_FALSE(history.find("b").value_or(RunSummary{}).cpu_milli);
}

TEST(ProfileTest, NineRunsAreTheFewestThatBoundTheNextOne) {
    History history;
    for (int seconds = 1; seconds <= 9; ++seconds)
        history.add("a", {.run_time = std::chrono::seconds(seconds)});
    EXPECT_EQ(summary_of(history).low, 1s);
    EXPECT_EQ(summary_of(history).high, 9s);
}

TEST(ProfileTest, OnlyTheNewestRunsCount) {
    History history;
    for (std::size_t i = 0; i < kRunsKeptMax; ++i) history.add("a", {.run_time = 1h});
    for (std::size_t i = 0; i < kRunsKeptMax; ++i) history.add("a", {.run_time = 1s});
    EXPECT_EQ(summary_of(history).runs, kRunsKeptMax);
    EXPECT_EQ(summary_of(history).p90, 1s);
}

TEST(ProfileTest, WhatRanLongestAgoIsForgottenFirst) {
    History history;
    history.add("first", {.run_time = 1s});
    history.add("second", {.run_time = 1s});
    history.add("first", {.run_time = 1s});
    for (std::size_t i = 0; i < kWorkloadsMax - 1; ++i)
        history.add("filler " + std::to_string(i), {.run_time = 1s});
    EXPECT_EQ(history.workloads(), kWorkloadsMax);
    EXPECT_FALSE(history.find("second"));
    EXPECT_TRUE(history.find("first"));
}

TEST(ProfileTest, NameAndMoneyDoNotMakeAnotherWorkloadButScriptAndAcceleratorDo) {
    TaskSpec spec;
    spec.run = "python train.py";
    spec.name = "a";
    TaskSpec other = spec;
    other.name = "b";
    other.priority = 3;
    other.budget = BudgetSpec{.max_total = Money::micro(5)};
    EXPECT_EQ(workload_text(spec, {}), workload_text(other, {}));
    EXPECT_NE(named_workload_text(spec, {}), named_workload_text(other, {}));
    EXPECT_NE(
        workload_text(spec, {}),
        workload_text(spec, Accelerator{.model = "H100", .count_milli = 1000})
    );
    other.run = "python train.py --epochs 9";
    EXPECT_NE(workload_text(spec, {}), workload_text(other, {}));
}

// Forecasts each run from the ones before it: the bounds hold as often as they say, for
// distributions of very different shape.
TEST(ProfileTest, BoundsHoldAsOftenAsStated) {
    constexpr int kWorkloads = 400;
    constexpr int kRuns = 60;
    std::mt19937_64 random(7);
    std::size_t stated = 0, held = 0;
    for (int i = 0; i < kWorkloads; ++i) {
        History history;
        const double spread = 0.1 + (i % 10) * 0.2;
        std::lognormal_distribution<double> seconds(4, spread);
        for (int run = 0; run < kRuns; ++run) {
            const auto time = Duration(std::llround(seconds(random) * 1e6));
            const std::optional<RunSummary> before = history.find("a");
            if (before && before->low && before->high) {
                ++stated;
                if (*before->low <= time && time <= *before->high) ++held;
            }
            history.add("a", {.run_time = time});
        }
    }
    const double coverage = static_cast<double>(held) / static_cast<double>(stated);
    RecordProperty("coverage", std::to_string(coverage));
    std::printf("coverage of the 80 %% bounds: %.4f of %zu forecasts\n", coverage, stated);
    EXPECT_GT(coverage, 0.79);
    EXPECT_LT(coverage, 0.86);
}

}  // namespace
}  // namespace penstock::scheduler
