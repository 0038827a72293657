// SPDX-License-Identifier: Apache-2.0
#include "timeshare/choice.h"

#include <gtest/gtest.h>

namespace penstock::timeshare {
namespace {

using Kinds = std::vector<std::optional<std::size_t>>;

Kinds chosen(Worth worth, const Problem& problem) {
    return choose(worth, problem, Kinds(problem.jobs.size())).value();
}

TEST(LeastLeft, ServesTheShortestFirst) {
    const Problem problem{
        .kinds = {{.devices = 1}},
        .jobs = {{.rate = {1}, .steps_left = 9000}, {.rate = {1}, .steps_left = 4000}}
    };
    EXPECT_EQ(chosen(Worth::least_left, problem), (Kinds{std::nullopt, 0}));
}

TEST(Throughput, ServesFirstWhoWasServedLittle) {
    Problem problem{.kinds = {{.devices = 1}}, .jobs = {{.rate = {1}}, {.rate = {5}}}};
    problem.jobs[0].served_s = kServedLevels[0];
    problem.jobs[1].served_s = kServedLevels[0] - 1;
    EXPECT_EQ(
        choose(Worth::throughput, problem, {0, std::nullopt}).value(), (Kinds{std::nullopt, 0})
    );
    problem.jobs[1].served_s = kServedLevels[0];
    EXPECT_EQ(
        choose(Worth::throughput, problem, {0, std::nullopt}).value(), (Kinds{0, std::nullopt})
    );
    problem.jobs[0].served_s = kServedLevels[1];
    EXPECT_EQ(
        choose(Worth::throughput, problem, {0, std::nullopt}).value(), (Kinds{std::nullopt, 0})
    );
}

// Job 0 was served less, but job 1 would lose more.
TEST(Throughput, DoesNotGiveThroughputAwayForWhoWasServedLittle) {
    const Problem problem{
        .kinds = {{.devices = 1}, {.devices = 1}},
        .jobs = {{.rate = {10, 9}}, {.rate = {10, 8}, .served_s = kServedLevels[1]}}
    };
    EXPECT_EQ(chosen(Worth::throughput, problem), (Kinds{1, 0}));
}

// Job 0 is shorter, but it loses little on kind 1.
TEST(Throughput, FitsJobsToKindsWhateverIsLeft) {
    const Problem problem{
        .kinds = {{.devices = 1}, {.devices = 1}},
        .jobs = {{.rate = {10, 9}, .steps_left = 10}, {.rate = {10, 1}, .steps_left = 9e6}}
    };
    EXPECT_EQ(chosen(Worth::throughput, problem), (Kinds{1, 0}));
}

// Greedily job 0 takes kind 0; but job 1 loses nine tenths on kind 1, job 0 only a tenth.
TEST(LeastLeft, SwapsWhereTheOtherGainsMore) {
    const Problem problem{
        .kinds = {{.devices = 1}, {.devices = 1}},
        .jobs = {{.rate = {10, 9}, .steps_left = 50000}, {.rate = {10, 1}, .steps_left = 60000}}
    };
    EXPECT_EQ(chosen(Worth::least_left, problem), (Kinds{1, 0}));
}

// Two jobs of one device leave the fast kind to one of two, which loses more on the slow one.
TEST(Throughput, ExchangesOneJobForSeveral) {
    const Problem problem{
        .kinds = {{.devices = 2}, {.devices = 2}},
        .jobs = {{.rate = {10, 9}}, {.rate = {10, 9}}, {.devices = 2, .rate = {10, 1}}}
    };
    EXPECT_EQ(chosen(Worth::throughput, problem), (Kinds{1, 1, 0}));
}

// With room for all, the one job that needs four devices counts as much as one that needs one;
// where others wait, it holds devices for four.
TEST(Throughput, CountsJobsByTheirDevicesOnlyWhereDevicesAreShort) {
    Problem problem{
        .kinds = {{.devices = 4}, {.devices = 40}},
        .jobs = {{.devices = 4, .rate = {10, 7}}, {.rate = {10, 6}}}
    };
    EXPECT_EQ(chosen(Worth::throughput, problem), (Kinds{1, 0}));
    problem.kinds[1].devices = 4;
    problem.jobs.push_back({.devices = 3, .rate = {0, 10}});
    problem.jobs.push_back({.rate = {0, 10}});
    EXPECT_EQ(chosen(Worth::throughput, problem)[0], 0);
}

TEST(LeastLeft, LetsWhoWaitedTooLongRunOnce) {
    const Problem problem{
        .kinds = {{.devices = 1}},
        .jobs =
            {{.rate = {1}, .steps_left = 9e6, .waited_s = kPatienceS},
             {.rate = {1}, .steps_left = 4000}}
    };
    EXPECT_EQ(chosen(Worth::least_left, problem), (Kinds{0, std::nullopt}));
}

TEST(LeastLeft, MovesOnlyWhereItGainsMoreThanTheMoveTakes) {
    Problem problem{
        .kinds = {{.devices = 1}, {.devices = 1}}, .jobs = {{.rate = {10, 9}, .steps_left = 9e6}}
    };
    EXPECT_EQ(choose(Worth::least_left, problem, {1}).value(), (Kinds{0}));
    problem.move_s = 72;
    EXPECT_EQ(choose(Worth::least_left, problem, {1}).value(), (Kinds{1}));
}

TEST(LeastLeft, StaysWhereAMoveGainsLittle) {
    const Problem problem{
        .kinds = {{.devices = 1}, {.devices = 1}},
        .jobs = {{.rate = {10, 9.995}, .steps_left = 9e6}}
    };
    EXPECT_EQ(choose(Worth::least_left, problem, {1}).value(), (Kinds{1}));
}

TEST(Choice, RefusesPlacesThatDoNotStandBesideTheJobs) {
    const Problem problem{.kinds = {{.devices = 1}}, .jobs = {{.rate = {1}}}};
    EXPECT_EQ(choose(Worth::throughput, problem, {}).error().field, "last");
}

}  // namespace
}  // namespace penstock::timeshare
