// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <limits>
#include <set>

#include "timeshare/choice.h"
#include "timeshare/policy.h"

namespace penstock::timeshare {
namespace {

constexpr double kTolerance = 1e-5;

Problem any_problem(std::size_t kinds_max, int jobs_max) {
    Problem problem;
    const auto kinds = *rc::gen::inRange<std::size_t>(1, kinds_max + 1);
    for (std::size_t j = 0; j < kinds; ++j)
        problem.kinds.push_back(
            {.devices = *rc::gen::inRange<std::int64_t>(1, 9),
             .price_per_hour = *rc::gen::inRange(1, 10) / 2.0}
        );
    const int jobs = *rc::gen::inRange(1, jobs_max + 1);
    for (int i = 0; i < jobs; ++i) {
        Job job{.devices = *rc::gen::element<std::int64_t>(1, 1, 1, 2, 4)};
        for (std::size_t j = 0; j < kinds; ++j) job.rate.push_back(*rc::gen::inRange(0, 40) / 4.0);
        job.weight = *rc::gen::element(1.0, 2.0);
        job.steps_left = *rc::gen::inRange(0, 1000) * 100;
        job.elapsed_s = *rc::gen::inRange(0, 10000);
        if (best_rate(problem, job) > 0) problem.jobs.push_back(std::move(job));
    }
    return problem;
}

std::vector<JobNumber> numbers_of(const Problem& problem) {
    std::vector<JobNumber> numbers(problem.jobs.size());
    for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = i;
    return numbers;
}

void expect_feasible(const Problem& problem, const Shares& shares) {
    std::vector<double> used(problem.kinds.size(), 0);
    for (std::size_t i = 0; i < problem.jobs.size(); ++i) {
        double time = 0;
        for (std::size_t j = 0; j < used.size(); ++j) {
            RC_ASSERT(shares[i][j] >= 0);
            time += shares[i][j];
            used[j] += shares[i][j] * static_cast<double>(problem.jobs[i].devices);
        }
        RC_ASSERT(time <= 1 + kTolerance);
    }
    for (std::size_t j = 0; j < used.size(); ++j)
        RC_ASSERT(used[j] <= static_cast<double>(problem.kinds[j].devices) + kTolerance);
}

double least_level(const Problem& problem, const Shares& shares) {
    double least = std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < problem.jobs.size(); ++i)
        least = std::min(least, level(problem, problem.jobs[i], shares[i]));
    return least;
}

RC_GTEST_PROP(Policies, SharesAreFeasible, ()) {
    const Problem problem = any_problem(4, 8);
    const auto policy = *rc::gen::element(
        Policy::agnostic_las, Policy::gavel_las, Policy::gavel_water_filling,
        Policy::gavel_makespan, Policy::gavel_finish_time, Policy::gavel_cost
    );
    const auto shares = allocate(policy, problem);
    RC_ASSERT(shares.has_value());
    expect_feasible(problem, *shares);
}

RC_GTEST_PROP(Policies, WaterFillingNeverLowersTheLeastLevel, ()) {
    const Problem problem = any_problem(3, 6);
    RC_PRE(!problem.jobs.empty());
    const double before = least_level(problem, allocate(Policy::gavel_las, problem).value());
    const double after =
        least_level(problem, allocate(Policy::gavel_water_filling, problem).value());
    RC_ASSERT(after >= before * (1 - 1e-4));
}

// Brute force over a grid of shares of two jobs on two kinds never beats the program.
RC_GTEST_PROP(Policies, MaximinIsNotBeatenByAGrid, ()) {
    Problem problem{.kinds = {{.devices = 1}, {.devices = 1}}};
    for (int i = 0; i < 2; ++i)
        problem.jobs.push_back(
            {.rate = {*rc::gen::inRange(1, 40) / 4.0, *rc::gen::inRange(1, 40) / 4.0}}
        );
    double best = 0;
    constexpr int kSteps = 10;
    for (int a = 0; a <= kSteps; ++a)
        for (int b = 0; a + b <= kSteps; ++b)
            for (int c = 0; a + c <= kSteps; ++c)
                for (int d = 0; c + d <= kSteps && b + d <= kSteps; ++d)
                    best = std::max(
                        best, least_level(problem, {{a / 10.0, b / 10.0}, {c / 10.0, d / 10.0}})
                    );
    const double found = least_level(problem, allocate(Policy::gavel_las, problem).value());
    RC_ASSERT(found >= best * (1 - 1e-6));
}

RC_GTEST_PROP(Rounds, NeverGrantMoreThanThereIsNorWhereAJobCannotRun, ()) {
    const Problem problem = any_problem(4, 8);
    RC_PRE(!problem.jobs.empty());
    const std::vector<JobNumber> numbers = numbers_of(problem);
    Rounds rounds;
    rounds.set(problem, numbers, allocate(Policy::gavel_las, problem).value());
    for (int round = 0; round < 50; ++round) {
        std::vector<std::int64_t> used(problem.kinds.size(), 0);
        std::set<JobNumber> granted;
        for (const Grant& grant : rounds.next()) {
            const Job& job = problem.jobs[grant.job];
            RC_ASSERT(job.rate[grant.kind] > 0);
            RC_ASSERT(granted.insert(grant.job).second);
            used[grant.kind] += job.devices;
            RC_ASSERT(used[grant.kind] <= problem.kinds[grant.kind].devices);
        }
    }
}

// On one kind, jobs of one device that ask for all of it get their shares in the long run.
RC_GTEST_PROP(Rounds, TimeFollowsSharesOnOneKind, ()) {
    Problem problem = any_problem(1, 8);
    for (Job& job : problem.jobs) job.devices = 1;
    RC_PRE(!problem.jobs.empty());
    const Shares shares = allocate(Policy::gavel_las, problem).value();
    Rounds rounds;
    rounds.set(problem, numbers_of(problem), shares);
    constexpr int kRounds = 1000;
    std::vector<double> received(problem.jobs.size(), 0);
    for (int round = 0; round < kRounds; ++round)
        for (const Grant& grant : rounds.next()) received[grant.job] += 1.0 / kRounds;
    for (std::size_t i = 0; i < received.size(); ++i) RC_ASSERT(received[i] >= shares[i][0] - 0.01);
}

RC_GTEST_PROP(Choice, FitsAndLeavesNobodyOutWhoWouldFit, ()) {
    const Problem problem = any_problem(4, 12);
    const auto worth = *rc::gen::element(Worth::least_left, Worth::throughput);
    const auto chosen =
        choose(worth, problem, std::vector<std::optional<std::size_t>>(problem.jobs.size()))
            .value();
    std::vector<std::int64_t> free;
    for (const Kind& kind : problem.kinds) free.push_back(kind.devices);
    for (std::size_t i = 0; i < chosen.size(); ++i) {
        if (!chosen[i]) continue;
        RC_ASSERT(problem.jobs[i].rate[*chosen[i]] > 0);
        free[*chosen[i]] -= problem.jobs[i].devices;
        RC_ASSERT(free[*chosen[i]] >= 0);
    }
    for (std::size_t i = 0; i < chosen.size(); ++i)
        for (std::size_t j = 0; j < free.size() && !chosen[i]; ++j)
            RC_ASSERT(problem.jobs[i].rate[j] == 0 || problem.jobs[i].devices > free[j]);
}

}  // namespace
}  // namespace penstock::timeshare
