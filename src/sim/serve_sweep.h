// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sim/line_plot.h"
#include "sim/progress.h"
#include "sim/serve.h"

namespace penstock::sim {

// What is run: every rate with every fleet, every policy, every placement and every seed.
struct ServeSweep {
    std::vector<double> rates{1};
    std::vector<std::string> fleets{"4"};  // numbers of replicas, or "auto"
    std::vector<std::string> policies{"least_loaded", "penstock"};
    std::vector<std::string> placements{"by_region"
    };  // over the sites of `base`; else not looked at
    std::vector<std::uint64_t> seeds{42};
    ServeOptions base;                  // what all runs share
    tasks::AutoscaleTargets autoscale;  // of "auto"
};

struct ServeRow {
    double rate = 1;
    std::string fleet;
    std::string policy;
    std::string placement;   // empty without sites
    std::uint64_t seed = 0;  // of a single run
    std::size_t runs = 1;
    ServeResult result;  // means over the runs
};

constexpr std::size_t kServeRunsMax = 10'000;

// Names as they stand in CSV and JSON, and in --plot-y.
std::span<const std::string_view> serve_figure_names();
std::optional<double> serve_figure(const ServeResult& result, std::string_view name);

// One row a run, in the order of the sweep.
Result<std::vector<ServeRow>> run_sweep(
    std::span<const ServeRequest> trace, const ServeSweep& sweep, Progress* progress
);
// One row for each rate, fleet, policy and placement.
std::vector<ServeRow> mean_over_seeds(std::span<const ServeRow> runs);
std::string serve_csv(std::span<const ServeRow> runs);
// One line for each policy, fleet and placement, over the rate. `figure` is one of
// serve_figure_names(), or with sites one of serve_place_figure_names(): then a line for each
// region or site as well.
std::span<const std::string_view> serve_place_figure_names();
Result<LinePlot> serve_plot(std::span<const ServeRow> means, std::string_view figure);

}  // namespace penstock::sim
