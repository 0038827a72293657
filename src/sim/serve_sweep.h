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

// What is run: every rate with every fleet with every policy with every seed.
struct ServeSweep {
    std::vector<double> rates{1};
    std::vector<std::string> fleets{"4"};  // numbers of replicas, or "auto"
    std::vector<std::string> policies{"least_loaded", "penstock"};
    std::vector<std::uint64_t> seeds{42};
    ServeOptions base;                  // what all runs share
    tasks::AutoscaleTargets autoscale;  // of "auto"
};

struct ServeRow {
    double rate = 1;
    std::string fleet;
    std::string policy;
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
// One row for each rate, fleet and policy.
std::vector<ServeRow> mean_over_seeds(std::span<const ServeRow> runs);
std::string serve_csv(std::span<const ServeRow> runs);
// One line for each policy and fleet, over the rate.
Result<LinePlot> serve_plot(std::span<const ServeRow> means, std::string_view figure);

}  // namespace penstock::sim
