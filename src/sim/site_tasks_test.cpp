// SPDX-License-Identifier: Apache-2.0
#include "sim/site_tasks.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "sim/site_fixture.h"

namespace penstock::sim {
namespace {

constexpr std::string_view kHeading =
    "arrival_s,user,data,data_gb,result_gb,devices,work_hours,deadline_s\n";

TEST(SiteTasks, AreReadInTheOrderOfTheirArrival) {
    const SiteScenario scenario = ScenarioText().read().value();
    const Csv csv =
        Csv::parse(
            std::string(kHeading) + "60,near,clean,1.5,0,2,4,7200\n0,clean,near,0,0,1,1,\n",
            "tasks.csv"
        )
            .value();
    const auto tasks = read_site_tasks(csv, scenario).value();
    ASSERT_EQ(tasks.size(), 2U);
    EXPECT_EQ(tasks[0].arrival, 0s);
    EXPECT_FALSE(tasks[0].deadline);
    EXPECT_EQ(tasks[1].data_bytes, 1'500'000'000);
    EXPECT_EQ(tasks[1].deadline, 2h);
}

TEST(SiteTasks, AnUnknownPlaceIsAnError) {
    const SiteScenario scenario = ScenarioText().read().value();
    const Csv csv =
        Csv::parse(std::string(kHeading) + "0,mars,near,0,0,1,1,\n", "tasks.csv").value();
    EXPECT_EQ(
        read_site_tasks(csv, scenario).error().message,
        "tasks.csv:2: column user: 'mars' is no place of the links file"
    );
}

TEST(SiteTasks, MadeUpOnesDependOnTheSeedAlone) {
    const SiteScenario scenario = ScenarioText().read().value();
    const auto first = made_up_site_tasks(scenario, 500, 48h, 7);
    const auto again = made_up_site_tasks(scenario, 500, 48h, 7);
    const auto other = made_up_site_tasks(scenario, 500, 48h, 8);
    const auto arrival = [](const SiteTask& task) { return task.arrival; };
    EXPECT_TRUE(std::ranges::equal(first, again, {}, arrival, arrival));
    EXPECT_FALSE(std::ranges::equal(first, other, {}, arrival, arrival));
    EXPECT_TRUE(std::ranges::is_sorted(first, {}, arrival));
    EXPECT_LT(first.back().arrival, 48h);
    const auto patient = std::ranges::count_if(first, [](const SiteTask& task) {
        return task.deadline.has_value();
    });
    EXPECT_NEAR(static_cast<double>(patient), 300, 40);
}

}  // namespace
}  // namespace penstock::sim
