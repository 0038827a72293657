// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "base/time.h"
#include "sim/csv.h"
#include "sim/site_scenario.h"

namespace penstock::sim {

constexpr std::size_t kSiteTasksMax = 1'000'000;

// A task that could run at several sites.
struct SiteTask {
    Duration arrival{};    // after the start of the run
    std::size_t user = 0;  // the place of who asks and gets the result
    std::size_t data = 0;  // the place of its data
    std::int64_t data_bytes = 0;
    std::int64_t result_bytes = 0;
    std::int64_t devices = 1;
    double work = 0;  // device hours at speed 1
    std::optional<Duration> deadline = {
    };  // after its arrival; absent: it starts as soon as it can
};

// Columns: arrival_s, user, data, data_gb, result_gb, devices, work_hours, deadline_s (may be
// empty). In the order of their arrival.
Result<std::vector<SiteTask>> read_site_tasks(const Csv& csv, const SiteScenario& scenario);

// A mix for want of a trace: `count` tasks, their arrivals uniform over `length`, users at every
// place alike, data with the user for one half and at any site for the other. Of five tasks two are
// short (a quarter to one hour at speed 1) and start as soon as they can, two are jobs of 2 to 8
// hours, one is a training of 8 to 32 hours; jobs and trainings have to end within a day and two to
// four times that.
std::vector<SiteTask> made_up_site_tasks(
    const SiteScenario& scenario, std::size_t count, Duration length, std::uint64_t seed
);

}  // namespace penstock::sim
