// SPDX-License-Identifier: Apache-2.0
#include "timeshare/policy.h"

#include <gtest/gtest.h>

#include "timeshare/linear_program.h"

namespace penstock::timeshare {
namespace {

Problem two_kinds(std::vector<Job> jobs) {
    return {
        .kinds = {{.devices = 1, .price_per_hour = 2}, {.devices = 1, .price_per_hour = 1}},
        .jobs = std::move(jobs)
    };
}

TEST(LinearProgram, FindsTheCornerOfTwoRows) {
    LinearProgram program;
    const auto x = program.add_variable(3, 0, LinearProgram::kInfinity);
    const auto y = program.add_variable(2, 0, LinearProgram::kInfinity);
    program.add_row({{x, 1}, {y, 1}}, -LinearProgram::kInfinity, 4);
    program.add_row({{x, 1}, {y, 3}}, -LinearProgram::kInfinity, 6);

    const auto values = program.maximise();

    ASSERT_TRUE(values);
    EXPECT_NEAR((*values)[x], 4, 1e-9);
    EXPECT_NEAR((*values)[y], 0, 1e-9);
}

TEST(LinearProgram, SaysThatRowsContradict) {
    LinearProgram program;
    const auto x = program.add_variable(1, 0, 1);
    program.add_row({{x, 1}}, 2, LinearProgram::kInfinity);

    const auto values = program.maximise();

    ASSERT_FALSE(values);
    EXPECT_EQ(values.error().code, ErrorCode::conflict);
}

TEST(LinearProgram, SaysThatAGainHasNoEnd) {
    LinearProgram program;
    program.add_variable(1, 0, LinearProgram::kInfinity);

    const auto values = program.maximise();

    ASSERT_FALSE(values);
    EXPECT_EQ(values.error().code, ErrorCode::internal);
}

// Job 0 gains nothing from the fast kind, job 1 four times: each gets its own.
TEST(GavelLas, GivesEachJobTheKindItGainsMostFrom) {
    const Problem problem = two_kinds({{.rate = {1, 1}}, {.rate = {4, 1}}});

    const auto shares = allocate(Policy::gavel_las, problem);

    ASSERT_TRUE(shares);
    EXPECT_NEAR((*shares)[0][1], 1, 1e-5);
    EXPECT_NEAR((*shares)[1][0], 1, 1e-5);
}

// By hand: a on kind 0 for x, b on kind 0 for 1 - x, each the rest on kind 1. Rates (2, 1) and
// (6, 1), normalised by 1.5 and 3.5: (1 + x) / 1.5 = (6 - 5x) / 3.5 gives 11x = 5.5.
TEST(GavelLas, EqualisesNormalisedThroughput) {
    const Problem problem = two_kinds({{.rate = {2, 1}}, {.rate = {6, 1}}});

    const auto shares = allocate(Policy::gavel_las, problem);

    ASSERT_TRUE(shares);
    EXPECT_NEAR((*shares)[0][0], 0.5, 1e-5);
    EXPECT_NEAR((*shares)[0][1], 0.5, 1e-5);
    EXPECT_NEAR((*shares)[1][0], 0.5, 1e-5);
    EXPECT_NEAR((*shares)[1][1], 0.5, 1e-5);
}

TEST(GavelLas, RefusesAJobThatFitsNowhere) {
    const Problem problem = two_kinds({{.devices = 2, .rate = {1, 1}}});

    const auto shares = allocate(Policy::gavel_las, problem);

    ASSERT_FALSE(shares);
    EXPECT_EQ(shares.error().field, "jobs[0].rate");
}

TEST(AgnosticLas, SpreadsEqualDeviceTimeAndCapsWhoRunsAlways) {
    const Problem problem{
        .kinds = {{.devices = 2}, {.devices = 2}},
        .jobs = {{.rate = {1, 1}}, {.devices = 2, .rate = {1, 1}}, {.devices = 2, .rate = {1, 1}}}
    };

    const auto shares = allocate(Policy::agnostic_las, problem);

    ASSERT_TRUE(shares);
    EXPECT_EQ((*shares)[0], (std::vector<double>{0.5, 0.5}));      // capped: one device for ever
    EXPECT_EQ((*shares)[1], (std::vector<double>{0.375, 0.375}));  // 1.5 devices of 2
    EXPECT_EQ((*shares)[2], (*shares)[1]);
}

// One device: 30 and 10 steps at 1 step/s take 40 s together, whoever is served how.
TEST(Makespan, FinishesAllAtTheSameTime) {
    const Problem problem{
        .kinds = {{.devices = 1}},
        .jobs = {{.rate = {1}, .steps_left = 30}, {.rate = {1}, .steps_left = 10}}
    };

    const auto shares = allocate(Policy::gavel_makespan, problem);

    ASSERT_TRUE(shares);
    EXPECT_NEAR((*shares)[0][0], 0.75, 1e-6);
    EXPECT_NEAR((*shares)[1][0], 0.25, 1e-6);
}

// Alone on half a device each: 60 s and 20 s. Shares 1/2 each give a ratio of 1 for both.
TEST(FinishTime, EqualisesTheRatioToAnEqualPart) {
    const Problem problem{
        .kinds = {{.devices = 1}},
        .jobs = {{.rate = {1}, .steps_left = 30}, {.rate = {1}, .steps_left = 10}}
    };

    const auto shares = allocate(Policy::gavel_finish_time, problem);

    ASSERT_TRUE(shares);
    EXPECT_NEAR((*shares)[0][0], 0.5, 1e-4);
    EXPECT_NEAR((*shares)[1][0], 0.5, 1e-4);
}

TEST(Cost, TakesTheCheapKindUnlessALeastRateAsksForMore) {
    Problem problem = two_kinds({{.rate = {3, 2}}});
    const auto cheap = allocate(Policy::gavel_cost, problem);
    problem.jobs[0].rate_min = 2.5;

    const auto fast = allocate(Policy::gavel_cost, problem);

    ASSERT_TRUE(cheap && fast);
    EXPECT_NEAR((*cheap)[0][1], 1, 1e-6);
    EXPECT_NEAR((*fast)[0][0], 0.5, 1e-6);
    EXPECT_NEAR((*fast)[0][1], 0.5, 1e-6);
}

TEST(Cost, RefusesLeastRatesThatCannotBeMet) {
    const Problem problem = two_kinds({{.rate = {3, 2}, .rate_min = 4}});

    const auto shares = allocate(Policy::gavel_cost, problem);

    ASSERT_FALSE(shares);
    EXPECT_EQ(shares.error().code, ErrorCode::conflict);
}

// Job 2 can only run on kind 1 and is full at once; the others share the rest of it.
TEST(WaterFilling, RaisesWhoIsNotHeldBackByOthers) {
    const Problem problem{
        .kinds = {{.devices = 2}, {.devices = 1}},
        .jobs = {{.rate = {1, 0}}, {.rate = {0, 1}}, {.rate = {0, 1}}}
    };

    const auto shares = allocate(Policy::gavel_water_filling, problem);

    ASSERT_TRUE(shares);
    EXPECT_NEAR((*shares)[0][0], 1, 1e-4);
    EXPECT_NEAR((*shares)[1][1], 0.5, 1e-4);
    EXPECT_NEAR((*shares)[2][1], 0.5, 1e-4);
}

}  // namespace
}  // namespace penstock::timeshare
