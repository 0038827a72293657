// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "timeshare/assignment.h"
#include "timeshare/choice.h"

// How near Worth::throughput comes to the best assignment there is, and to the best one that may
// cut jobs in parts: the optimum of the linear program, which nothing can pass.
namespace penstock::timeshare {
namespace {

constexpr double kRounding = 1e-6;

// Draws from `below(n)`, 0 … n − 1.
template <class Below>
Problem draw_problem(int kinds_max, int devices_max, int jobs_min, int jobs_max, Below&& below) {
    constexpr std::array<std::int64_t, 6> kSizes = {1, 1, 1, 2, 4, 8};
    Problem problem;
    const int kinds = 1 + below(kinds_max);
    for (int j = 0; j < kinds; ++j) problem.kinds.push_back({.devices = 1 + below(devices_max)});
    const int jobs = jobs_min + below(jobs_max - jobs_min + 1);
    while (std::ssize(problem.jobs) < jobs) {
        Job job{.devices = kSizes[static_cast<std::size_t>(below(6))]};
        for (int j = 0; j < kinds; ++j) job.rate.push_back(below(40) / 4.0);
        job.weight = 1 + below(2);
        if (best_rate(problem, job) > 0)
            problem.jobs.push_back(std::move(job));
        else if (below(20) == 0)
            break;  // nothing may fit the kinds that were drawn
    }
    return problem;
}

Problem any_problem(int kinds_max, int devices_max, int jobs_min, int jobs_max) {
    return draw_problem(kinds_max, devices_max, jobs_min, jobs_max, [](int n) {
        return *rc::gen::inRange(0, n);
    });
}

// README.md: devices ^ pressure × weight × rate / best rate.
Worths worths_of(const Problem& problem) {
    double asked = 0, devices = 0;
    for (const Job& job : problem.jobs) asked += static_cast<double>(job.devices);
    for (const Kind& kind : problem.kinds) devices += static_cast<double>(kind.devices);
    const double pressure = std::min(1.0, asked / devices);
    Worths worths{.kinds = problem.kinds.size()};
    for (const Job& job : problem.jobs)
        for (std::size_t j = 0; j < worths.kinds; ++j)
            worths.values.push_back(
                runs_on(problem, job, j) ? job.weight * job.rate[j] / best_rate(problem, job) *
                                               std::pow(static_cast<double>(job.devices), pressure)
                                         : 0
            );
    return worths;
}

double worth_of(const Worths& worths, const Places& places) {
    double sum = 0;
    for (std::size_t i = 0; i < places.size(); ++i)
        if (places[i]) sum += worths.at(i, *places[i]);
    return sum;
}

double chosen_worth(const Problem& problem, const Worths& worths) {
    const Places nowhere(problem.jobs.size());
    return worth_of(worths, choose(Worth::throughput, problem, nowhere).value());
}

// The most that jobs from `job` on can be worth, by trying every kind for each.
double best_sum(
    const Problem& problem, const Worths& worths, std::vector<std::int64_t>& free,
    std::size_t job = 0
) {
    if (job == problem.jobs.size()) return 0;
    double best = best_sum(problem, worths, free, job + 1);
    for (std::size_t j = 0; j < free.size(); ++j) {
        if (worths.at(job, j) == 0 || problem.jobs[job].devices > free[j]) continue;
        free[j] -= problem.jobs[job].devices;
        best = std::max(best, worths.at(job, j) + best_sum(problem, worths, free, job + 1));
        free[j] += problem.jobs[job].devices;
    }
    return best;
}

double best_sum(const Problem& problem, const Worths& worths) {
    std::vector<std::int64_t> free;
    for (const Kind& kind : problem.kinds) free.push_back(kind.devices);
    return best_sum(problem, worths, free);
}

RC_GTEST_PROP(Choice, OfASmallProblemIsTheBestAssignment, ()) {
    const Problem problem = any_problem(3, 8, 1, static_cast<int>(kSearchedJobsMax));
    RC_PRE(!problem.jobs.empty());
    const Worths worths = worths_of(problem);

    const double best = best_sum(problem, worths);

    const double chosen = chosen_worth(problem, worths);
    const double bound = cut_assignment(problem, worths).value().worth;
    RC_ASSERT(chosen >= best * (1 - kRounding));
    RC_ASSERT(bound >= best * (1 - kRounding));
    // The best whole assignment is never worth less than half of the best cut one: a vertex cuts so
    // few jobs that each kind holds all of its whole ones and one more (Shmoys and Tardos, 1993).
    RC_ASSERT(chosen >= bound / 2 * (1 - kRounding));
}

// What choice.h promises of larger ones.
RC_GTEST_PROP(Choice, LosesLessToTheLinearProgramThanThreeInAHundredOrOneJobAKind, ()) {
    const Problem problem = any_problem(4, 24, 9, 60);
    RC_PRE(!problem.jobs.empty());
    const Worths worths = worths_of(problem);

    const double bound = cut_assignment(problem, worths).value().worth;
    const double largest = *std::ranges::max_element(worths.values);

    const double chosen = chosen_worth(problem, worths);
    RC_ASSERT(chosen <= bound * (1 + kRounding));
    RC_ASSERT(
        chosen >=
        std::min(bound * (1 - kShortfallMax), bound - largest * static_cast<double>(worths.kinds)) *
            (1 - kRounding)
    );
}

RC_GTEST_PROP(CutAssignment, CutsNoMoreJobsThanThereAreKindsAndLiesBelowThePrices, ()) {
    const Problem problem = any_problem(4, 24, 1, 60);
    RC_PRE(!problem.jobs.empty());
    const Worths worths = worths_of(problem);

    const CutAssignment cut = cut_assignment(problem, worths).value();

    const double largest = *std::ranges::max_element(worths.values);
    RC_ASSERT(
        worth_of(worths, cut.whole) >=
        cut.worth - largest * static_cast<double>(worths.kinds) - kRounding
    );
    RC_ASSERT(device_prices(problem, worths).worth_max >= cut.worth * (1 - kRounding));
}

// Over problems drawn from fixed seeds: what is lost to the linear program, in parts of it.
struct Losses {
    double mean = 0;
    double worst = 0;
};
Losses losses(int problems, int devices_max, int jobs_min, int jobs_max) {
    Losses losses;
    for (int i = 0; i < problems; ++i) {
        SeededRandom random(static_cast<std::uint64_t>(i + 1));
        const Problem problem = draw_problem(4, devices_max, jobs_min, jobs_max, [&](int n) {
            return static_cast<int>(random.below(static_cast<std::uint64_t>(n)));
        });
        if (problem.jobs.empty()) continue;
        const Worths worths = worths_of(problem);
        const double bound = cut_assignment(problem, worths).value().worth;
        const double loss = 1 - chosen_worth(problem, worths) / bound;
        losses.mean += loss / problems;
        losses.worst = std::max(losses.worst, loss);
    }
    return losses;
}

TEST(Choice, LosesLessThanTwoInAHundredOnAverageToTheLinearProgramOfSmallProblems) {
    EXPECT_LT(losses(400, 8, 1, static_cast<int>(kSearchedJobsMax)).mean, 0.02);
}

TEST(Choice, LosesLessThanOneInAHundredOnAverageToTheLinearProgramOfLargeProblems) {
    const Losses found = losses(400, 24, 9, 60);
    EXPECT_LT(found.mean, 0.01);
    EXPECT_LT(found.worst, 0.25) << "kinds of a few devices, of which jobs leave some over";
}

}  // namespace
}  // namespace penstock::timeshare
