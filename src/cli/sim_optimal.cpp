// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <boost/json.hpp>
#include <cmath>

#include "cli/sim.h"
#include "cli/sim_cluster.h"
#include "cli/table.h"
#include "sim/optimal.h"

namespace penstock::cli {
namespace {

Result<sim::OptimalOptions> options_of(const Arguments& arguments) {
    sim::OptimalOptions options;
    options.instances =
        TRY(integer_in(arguments, "instances", options.instances, sim::kOptimalInstancesMax));
    options.seed = static_cast<std::uint64_t>(
        TRY(integer_in(arguments, "seed", static_cast<std::int64_t>(options.seed), INT32_MAX))
    );
    return options;
}

// Six digits behind the point: what is behind them may differ between mathematical libraries.
double rounded(double value) { return std::round(value * 1e6) / 1e6; }

json::Object answer_of(const sim::OptimalReport& report, const sim::OptimalOptions& options) {
    json::Array ways;
    for (const sim::WayOfDeciding& way : report.ways)
        ways.emplace_back(json::Object{
            {"way", way.way},
            {"loss_mean", rounded(way.loss_mean)},
            {"loss_worst", rounded(way.loss_worst)},
            {"best", way.best},
            {"fewer_placed", way.fewer_placed},
            {"out_of_order", way.out_of_order}
        });
    return {
        {"instances", report.instances},
        {"seed", options.seed},
        {"tasks", report.tasks},
        {"unplaced_by_brute_force", report.unplaced},
        {"unplaced_in_order_of_the_queue", report.unplaced_in_order},
        {"ways", std::move(ways)},
    };
}

std::string table_of(const sim::OptimalReport& report) {
    constexpr Align kRight = Align::right;
    Table table(
        {{"WAY"},
         {"LOSS-MEAN%", kRight},
         {"LOSS-WORST%", kRight},
         {"BEST", kRight},
         {"FEWER-PLACED", kRight}}
    );
    for (const sim::WayOfDeciding& way : report.ways)
        table.add(
            {way.way, fmt::format("{:.3f}", way.loss_mean * 100),
             fmt::format("{:.3f}", way.loss_worst * 100), std::to_string(way.best),
             std::to_string(way.fewer_placed)}
        );
    return table.render({});
}

// Offline: ways of deciding several tasks beside brute force.
io::Task<Result<int>> optimal(Invocation* invocation) {
    const sim::OptimalOptions options = CO_TRY(options_of(invocation->arguments));
    sim::Progress progress = sim_progress(*invocation);
    const sim::OptimalReport report = CO_TRY(sim::measure_optimal(options, progress));
    CO_TRY(invocation->printer.document(
        answer_of(report, options),
        table_of(report) +
            format(
                invocation->language, "sim.optimal.result", report.instances, report.tasks,
                report.unplaced, report.unplaced_in_order
            ) +
            "\n"
    ));
    co_return kExitOk;
}

}  // namespace

Command sim_optimal_command() {
    return {
        .path = "sim optimal",
        .summary = "sim.optimal.summary",
        .examples = {"penstock sim optimal --instances 1000 --seed 1 -o json"},
        .flags =
            {{.name = "instances", .value = "N", .help = "flag.sim_instances"},
             {.name = "seed", .value = "N", .help = "flag.sim_seed"}},
        .run = optimal,
    };
}

}  // namespace penstock::cli
