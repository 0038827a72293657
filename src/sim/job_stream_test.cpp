// SPDX-License-Identifier: Apache-2.0
#include "sim/job_stream.h"

#include <gtest/gtest.h>

#include <map>

namespace penstock::sim {
namespace {

ThroughputTable table() {
    ThroughputTable table{.kinds = {"fast", "slow"}};
    for (const std::int64_t devices : {1, 2, 4, 8}) {
        table.types.push_back({.name = "A", .devices = devices, .rate = {100, 1}});
        table.types.push_back({.name = "B", .devices = devices, .rate = {0, 1}});
    }
    return table;
}

std::vector<ArrivingJob> drawn(const ThroughputTable& table, JobStreamOptions options, int count) {
    JobStream stream = JobStream::start(table, options).value();
    std::vector<ArrivingJob> jobs;
    for (int i = 0; i < count; ++i) jobs.push_back(stream.next());
    return jobs;
}

TEST(JobStream, TheSameSeedGivesTheSameJobsAtEveryRate) {
    const ThroughputTable rates = table();
    const auto slow = drawn(rates, {.jobs_per_hour = 1, .seed = 7}, 100);
    const auto fast = drawn(rates, {.jobs_per_hour = 4, .seed = 7}, 100);
    const auto other = drawn(rates, {.jobs_per_hour = 1, .seed = 8}, 100);

    for (std::size_t i = 0; i < slow.size(); ++i) {
        EXPECT_EQ(slow[i].type, fast[i].type);
        EXPECT_EQ(slow[i].steps, fast[i].steps);
        EXPECT_NEAR(
            static_cast<double>(slow[i].arrived_ms), 4.0 * static_cast<double>(fast[i].arrived_ms),
            400
        );
    }
    EXPECT_NE(slow, other);
}

TEST(JobStream, DurationsAndGapsFollowTheirDistributions) {
    const ThroughputTable rates = table();
    constexpr int kJobs = 20'000;
    const auto jobs = drawn(rates, {.jobs_per_hour = 2, .seed = 1}, kJobs);
    int longer = 0;
    for (const ArrivingJob& job : jobs) {
        const double minutes = job.steps / 100 / 60;
        EXPECT_GE(minutes, 31.6);
        EXPECT_LE(minutes, 10'000);
        if (minutes > 1000) ++longer;
        EXPECT_EQ(job.steps_declared, job.steps);
        EXPECT_EQ(job.type, 0U);  // B has no rate on the kind that durations are drawn for
    }
    EXPECT_NEAR(longer, kJobs / 5, kJobs / 100);
    EXPECT_NEAR(static_cast<double>(jobs.back().arrived_ms) / 3.6e6, kJobs / 2.0, kJobs / 50.0);
}

TEST(JobStream, SeveralDevicesComeInTheirShares) {
    const ThroughputTable rates = table();
    constexpr int kJobs = 20'000;
    std::map<std::int64_t, int> found;
    for (const ArrivingJob& job : drawn(rates, {.several_devices = true}, kJobs))
        ++found[rates.types[job.type].devices];

    EXPECT_NEAR(found[1], kJobs * 0.70, kJobs * 0.02);
    EXPECT_NEAR(found[2], kJobs * 0.10, kJobs * 0.02);
    EXPECT_NEAR(found[4], kJobs * 0.15, kJobs * 0.02);
    EXPECT_NEAR(found[8], kJobs * 0.05, kJobs * 0.02);
}

TEST(JobStream, DeclaredStepsAreOffByAtMostTheFactor) {
    const ThroughputTable rates = table();
    int above = 0;
    for (const ArrivingJob& job : drawn(rates, {.declared_error = 3}, 1000)) {
        EXPECT_LE(job.steps_declared, 3 * job.steps + 1);
        EXPECT_GE(job.steps_declared, job.steps / 3 - 1);
        if (job.steps_declared > job.steps) ++above;
    }
    EXPECT_NEAR(above, 500, 60);
}

TEST(JobStream, RefusesATableWithoutTheTypesItNeeds) {
    const ThroughputTable rates{
        .kinds = {"a"}, .types = {{.name = "A", .devices = 1, .rate = {1}}}
    };
    EXPECT_TRUE(JobStream::start(rates, {}));
    EXPECT_FALSE(JobStream::start(rates, {.several_devices = true}));
}

}  // namespace
}  // namespace penstock::sim
