// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string>
#include <vector>

#include "scheduler/objective.h"
#include "sim/progress.h"
#include "sim/site_tasks.h"

namespace penstock::sim {

// The strategies of the scheduler, pure ones first, then baselines that see one thing only and
// start as soon as there is room: least cost, least round trip (of one site the shortest), any.
inline constexpr std::array<std::string_view, 9> kSiteStrategies = {
    "cost",     "duration",  "security",     "latency", "green",
    "balanced", "cost-only", "nearest-only", "random"
};
constexpr Duration kSitesLengthMax = 366 * 24h;

struct SitesOptions {
    std::vector<std::string> strategies;  // of kSiteStrategies, or as site_strategy() reads them
    Time start;
    std::uint64_t seed = 42;  // of the baseline `random`
};

// One task as a strategy placed it.
struct SiteDecision {
    std::size_t task = 0;
    std::size_t pool = 0;
    Duration wait{};  // from its arrival until it has its devices
    std::array<double, scheduler::kTermCount> terms{};
    bool late = false;  // no place meets its deadline: it went where it ends first
};

struct StrategyOutcome {
    std::string strategy;
    std::vector<SiteDecision> decisions;                // one a task
    std::array<double, scheduler::kTermCount> means{};  // of the terms
    std::int64_t late = 0;
    std::int64_t waited = 0;              // tasks that did not start at once
    double wait_hours_mean = 0;           // over all tasks
    double moved_gb = 0;                  // staged over a link
    std::vector<std::int64_t> tasks_at;   // by site
    std::vector<double> device_hours_in;  // by pool
};

struct SitesReport {
    std::vector<StrategyOutcome> outcomes;  // in the order of the options
    // Of each term the strategy of the scheduler with the least mean; baselines are not looked at.
    std::array<std::string, scheduler::kTermCount> best{};
    // Terms on which `balanced` is within 5 % of the best pure strategy; 0 where it did not run.
    std::int64_t balanced_near_best = 0;
};

// Tasks arrive in virtual time; scheduler::plan(), the code the server runs, decides each on its
// arrival from the outlooks and from the calendars of all pools, and the calendar of the chosen
// pool keeps its devices for staging, run and fetching. Run times are as the pool's speed says.
// Fails when a task can run nowhere, or when the hourly files end before the work does.
Result<SitesReport> simulate_sites(
    const SiteScenario& scenario, const std::vector<SiteTask>& tasks, const SitesOptions& options,
    Progress& progress
);

}  // namespace penstock::sim
