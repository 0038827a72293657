// SPDX-License-Identifier: Apache-2.0
#include "sim/jct.h"

#include <gtest/gtest.h>

namespace penstock::sim {
namespace {

std::vector<JctLine> simulated() {
    const ThroughputTable table{
        .kinds = {"fast", "slow"},
        .types =
            {{.name = "A", .devices = 1, .rate = {8, 1}},
             {.name = "B", .devices = 1, .rate = {3, 3}}}
    };
    const JctOptions options{
        .policies = {"agnostic-las", "gavel-las", "least-left"},
        .jobs_per_hour = {0.2, 0.4},
        .seeds = {1, 2},
        .training = {.devices = {4, 4}, .measured_first = 50, .measured_last = 150}
    };
    const SystemClock clock;
    Progress progress(clock, [](const std::string&, std::size_t, std::size_t) {});
    return simulate_jct(table, options, progress).value();
}

TEST(Jct, WhoKnowsMoreFinishesJobsSoonerUnderLoad) {
    const auto lines = simulated();

    ASSERT_EQ(lines.size(), 3U);
    for (std::size_t i = 0; i < 2; ++i) {
        const double agnostic = lines[0].points[i].hours_mean.mean();
        const double gavel = lines[1].points[i].hours_mean.mean();
        const double ours = lines[2].points[i].hours_mean.mean();
        EXPECT_LT(gavel, agnostic);
        EXPECT_LT(ours, gavel);
    }
}

TEST(Jct, PointsHaveOneValueASeed) {
    const JctPoint point = simulated().front().points.front();

    EXPECT_EQ(point.hours_mean.values.size(), 2U);
    EXPECT_LE(point.hours_p50.mean(), point.hours_p99.mean());
    EXPECT_GE(point.moves_per_job.mean(), 1);
}

TEST(Jct, CsvHasARowARateAndAColumnAPolicy) {
    const std::vector<JctLine> lines{
        {.policy = "a", .points = {{.jobs_per_hour = 1.5, .hours_mean = {.values = {2, 3}}}}},
        {.policy = "b", .points = {{.jobs_per_hour = 1.5, .hours_mean = {.values = {4}}}}}
    };

    EXPECT_EQ(jct_csv(lines), "jobs_per_hour,a,b\n1.5,2.5000,4.0000\n");
    EXPECT_EQ(jct_plot(lines).series.size(), 2U);
}

}  // namespace
}  // namespace penstock::sim
