// SPDX-License-Identifier: Apache-2.0
#include "sim/shared_training.h"

#include <gtest/gtest.h>

#include "timeshare/sharer.h"

namespace penstock::sim {
namespace {

ThroughputTable two_types() {
    return {
        .kinds = {"fast", "slow"},
        .types =
            {{.name = "A", .devices = 1, .rate = {4, 1}},
             {.name = "B", .devices = 1, .rate = {3, 2}}}
    };
}

Result<SharedTrainingResult> shared(
    const ThroughputTable& table, const JobStreamOptions& stream, SharedTrainingOptions options
) {
    const SystemClock clock;
    Progress progress(clock, [](const std::string&, std::size_t, std::size_t) {});
    return share_training(table, stream, options, progress);
}

SharedTrainingOptions options_for(const std::string& policy, std::vector<std::int64_t> devices) {
    return {
        .policy = policy,
        .devices = std::move(devices),
        .price_per_hour = {2, 1},
        .measured_first = 10,
        .measured_last = 60
    };
}

// With a device for everyone, a job takes its own time on the fast kind and waits only for the
// next round.
TEST(SharedTraining, WithRoomForAllAJobTakesItsTimeAndTheWaitForARound) {
    const ThroughputTable table = two_types();
    const JobStreamOptions stream{.jobs_per_hour = 1, .seed = 3};
    JobStream jobs = JobStream::start(table, stream).value();
    const auto result = shared(table, stream, options_for("least-left", {500, 0}));
    ASSERT_TRUE(result);

    for (std::size_t i = 0; i < 60; ++i) {
        const ArrivingJob job = jobs.next();
        if (i < 10) continue;
        const double own = job.steps / table.types[job.type].rate[0] / 3600;
        EXPECT_GE(result->hours[i - 10], own - 1e-6);
        EXPECT_LE(result->hours[i - 10], own + 0.1 + 1e-6);
    }
    EXPECT_LT(result->busy_percent, 10);
}

TEST(SharedTraining, EveryPolicyEndsAllMeasuredJobsAndRepeatsItself) {
    const ThroughputTable table = two_types();
    const JobStreamOptions stream{.jobs_per_hour = 0.4, .seed = 5};
    for (const std::string_view policy : timeshare::policy_names()) {
        // Few jobs: policies that look at what is left solve a program every round.
        SharedTrainingOptions options = options_for(std::string(policy), {4, 4});
        options.measured_first = 2;
        options.measured_last = 10;
        const auto first = shared(table, stream, options);
        const auto second = shared(table, stream, options);
        ASSERT_TRUE(first && second) << policy;
        EXPECT_EQ(first->hours.size(), 8U);
        for (const double hours : first->hours) EXPECT_GT(hours, 0) << policy;
        EXPECT_LE(first->busy_percent, 100) << policy;
        EXPECT_EQ(first->hours, second->hours) << policy;
    }
}

TEST(SharedTraining, ATimeForMovesMakesJobsLater) {
    const ThroughputTable table = two_types();
    const JobStreamOptions stream{.jobs_per_hour = 1, .seed = 3};
    SharedTrainingOptions options = options_for("least-left", {500, 0});
    const auto free = shared(table, stream, options);
    options.move_seconds = 36;
    const auto charged = shared(table, stream, options);
    ASSERT_TRUE(free && charged);

    EXPECT_EQ(free->moves, charged->moves);
    for (std::size_t i = 0; i < free->hours.size(); ++i)
        EXPECT_NEAR(charged->hours[i] - free->hours[i], 0.01, 1e-6);
}

TEST(SharedTraining, RefusesWhatNoRunCouldAnswer) {
    const ThroughputTable table = two_types();
    const auto field = [&](const SharedTrainingOptions& options) {
        return shared(table, {}, options).error().field;
    };
    SharedTrainingOptions options = options_for("gavel-las", {1});
    EXPECT_EQ(field(options), "devices");
    options = options_for("gavel-las", {1, 1});
    options.measured_last = 10;
    EXPECT_EQ(field(options), "measure");
    options = options_for("gavel-las", {1, 1});
    options.move_seconds = 360;
    EXPECT_EQ(field(options), "move_seconds");
    options = options_for("gavel-las", {1, 1});
    options.price_per_hour = {1};
    EXPECT_EQ(field(options), "prices");
    EXPECT_EQ(field(options_for("fifo", {1, 1})), "policy");
    EXPECT_EQ(field(options_for("gavel-las", {0, 0})), "devices");
}

}  // namespace
}  // namespace penstock::sim
