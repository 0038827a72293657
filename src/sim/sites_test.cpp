// SPDX-License-Identifier: Apache-2.0
#include "sim/sites.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "sim/site_fixture.h"

namespace penstock::sim {
namespace {

SitesReport simulate(
    const SiteScenario& scenario, const std::vector<SiteTask>& tasks,
    std::vector<std::string> strategies = {kSiteStrategies.begin(), kSiteStrategies.end()}
) {
    const SystemClock clock;
    Progress progress(clock, [](const std::string&, std::size_t, std::size_t) {});
    return simulate_sites(
               scenario, tasks, {.strategies = std::move(strategies), .start = kScenarioStart},
               progress
    )
        .value();
}

const StrategyOutcome& of(const SitesReport& report, std::string_view strategy) {
    return *std::ranges::find(report.outcomes, strategy, &StrategyOutcome::strategy);
}

// One task of one device hour at `near`, with its data there.
SiteTask small_task() {
    return {.user = 1, .data = 1, .data_bytes = 10'000'000'000, .devices = 1, .work = 1};
}

TEST(Sites, EachStrategyTakesATaskWhereItsTermIsBest) {
    const SiteScenario scenario = ScenarioText().read().value();
    const SitesReport report = simulate(scenario, {small_task()});
    EXPECT_EQ(of(report, "duration").decisions[0].pool, 2U) << "the fast devices";
    EXPECT_EQ(of(report, "latency").tasks_at[1], 1);
    EXPECT_EQ(of(report, "green").tasks_at[0], 1);
    EXPECT_EQ(of(report, "security").tasks_at[0], 1);
    EXPECT_EQ(of(report, "nearest-only").decisions[0].pool, 2U);
    EXPECT_EQ(
        report.best,
        (std::array<std::string, 5>{"cost", "duration", "security", "latency", "green"})
    );
}

TEST(Sites, EgressOfTheDataOutweighsACheaperSite) {
    const SiteScenario scenario = ScenarioText().read().value();
    SiteTask task = small_task();
    EXPECT_EQ(of(simulate(scenario, {task}), "cost").tasks_at[1], 1) << "moving costs as much";
    task.data_bytes = 0;
    EXPECT_EQ(of(simulate(scenario, {task}), "cost").tasks_at[0], 1);
}

TEST(Sites, OnlyWorkWithADeadlineWaitsForACleanHourAndNeverPastIt) {
    const SiteScenario scenario = ScenarioText().read().value();
    SiteTask task = small_task();
    EXPECT_EQ(of(simulate(scenario, {task}), "green").decisions[0].wait, 0s);
    task.deadline = 8h;
    const SitesReport report = simulate(scenario, {task});
    EXPECT_EQ(of(report, "green").decisions[0].wait, 5h) << "the clean hour";
    EXPECT_EQ(of(report, "duration").decisions[0].wait, 0s);
    EXPECT_EQ(of(report, "cost-only").decisions[0].wait, 0s);
    task.deadline = 3h;
    EXPECT_EQ(of(simulate(scenario, {task}), "green").decisions[0].wait, 0s);
}

TEST(Sites, FullDevicesAreWaitedForAndADeadlineThatCannotBeMetIsCounted) {
    const SiteScenario scenario = ScenarioText().read().value();
    std::vector<SiteTask> tasks(30, small_task());
    for (SiteTask& task : tasks) {
        task.devices = 4;
        task.work = 8;
        task.deadline = 5h;
    }
    const SitesReport report = simulate(scenario, tasks, {"duration", "random"});
    EXPECT_GT(of(report, "duration").waited, 0);
    EXPECT_GT(of(report, "duration").late, 0);
    EXPECT_EQ(of(report, "duration").decisions.size(), 30U);
}

TEST(Sites, ATaskThatNoPoolCanHoldIsAnError) {
    const SiteScenario scenario = ScenarioText().read().value();
    SiteTask task = small_task();
    task.devices = 9;
    const SystemClock clock;
    Progress progress(clock, [](const std::string&, std::size_t, std::size_t) {});
    const auto report = simulate_sites(
        scenario, {task}, {.strategies = {"cost"}, .start = kScenarioStart}, progress
    );
    ASSERT_FALSE(report);
    EXPECT_TRUE(report.error().message.starts_with("task 1 can run nowhere: "))
        << report.error().message;
}

TEST(Sites, WorkBeyondTheHourlyFilesIsAnError) {
    const SiteScenario scenario = ScenarioText().read().value();
    SiteTask task = small_task();
    task.arrival = 24h * 30;
    const SystemClock clock;
    Progress progress(clock, [](const std::string&, std::size_t, std::size_t) {});
    const auto report = simulate_sites(
        scenario, {task}, {.strategies = {"cost"}, .start = kScenarioStart}, progress
    );
    EXPECT_EQ(
        report.error().message,
        "the hourly files do not cover the work of task 1: choose another --start"
    );
}

}  // namespace
}  // namespace penstock::sim
