// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <boost/json.hpp>

#include "cli/sim.h"
#include "cli/sim_cluster.h"
#include "placement/policies.h"
#include "sim/line_plot.h"
#include "sim/pack.h"
#include "sim/seeds.h"

namespace penstock::cli {
namespace {

constexpr std::string_view kSeedsDefault = "42..51";

json::Array numbers(const std::vector<double>& values) {
    json::Array array;
    for (const double value : values) array.emplace_back(value);
    return array;
}

json::Object answer_of(
    const sim::PackReport& report, const sim::PackOptions& options, bool with_timing
) {
    json::Array seeds;
    for (const std::uint64_t seed : options.seeds) seeds.emplace_back(seed);
    json::Object refused;
    for (const auto& [code, count] : report.refused) refused[code] = count;
    json::Object answer{
        {"policy", options.policy},
        {"seeds", std::move(seeds)},
        {"ratio", options.ratio},
        {"nodes", report.nodes},
        {"devices", report.devices},
        {"allocated_percent", numbers(report.allocated_percent.values)},
        {"allocated_percent_mean", report.allocated_percent.mean()},
        {"allocated_percent_sd", report.allocated_percent.sd()},
        {"fragmented_percent_mean", report.fragmented_percent.mean()},
        {"power_watts_mean", nullptr},
        {"arrived", report.arrived},
        {"placed", report.placed},
        {"refused_node_verdicts", std::move(refused)},
    };
    if (!options.power.empty()) answer["power_watts_mean"] = report.power_watts.mean();
    if (with_timing) {
        answer["decisions_per_second"] =
            static_cast<double>(report.arrived) / std::max(report.cpu_seconds, 1e-9);
        answer["cpu_seconds"] = report.cpu_seconds;
    }
    return answer;
}

std::string curve_csv(const sim::PackReport& report) {
    std::string csv =
        "asked_percent,allocated_percent,fragmented_percent,fragmented_idle_percent,power_watts\n";
    for (const sim::PackPoint& point : report.curve)
        csv += fmt::format(
            "{},{:.4f},{:.4f},{:.4f},{:.1f}\n", point.asked_percent, point.allocated_percent,
            point.fragmented_percent, point.fragmented_idle_percent, point.power_watts
        );
    return csv;
}

sim::LinePlot curve_plot(const sim::PackReport& report, const std::string& policy) {
    sim::Series allocated{.name = policy};
    sim::Series ideal{.name = "all that is asked"};
    for (const sim::PackPoint& point : report.curve) {
        const double x = point.asked_percent;
        allocated.points.push_back({x, point.allocated_percent});
        ideal.points.push_back({x, std::min(x, 100.0)});
    }
    return {
        .title = "Allocation while tasks arrive",
        .x_label = "devices asked for, % of the cluster",
        .y_label = "devices allocated, %",
        .series = {std::move(allocated), std::move(ideal)},
    };
}

// Offline: tasks arrive at an empty cluster until it is full.
io::Task<Result<int>> pack(Invocation* invocation) {
    const Arguments& arguments = invocation->arguments;
    sim::ClusterTrace cluster = CO_TRY(read_cluster_flag(*invocation));
    const std::string pods = CO_TRY(needed_flag(arguments, "pods"));
    const sim::Csv csv = CO_TRY(sim::Csv::read(sim_path(*invocation, pods)));
    const auto tasks = CO_TRY(sim::read_tasks(csv, cluster.models));
    sim::PackOptions options{
        .policy = arguments.value_or("policy", "fgd"),
        .seeds = CO_TRY(sim::parse_seeds(arguments.value_or("seeds", std::string(kSeedsDefault)))),
        .ratio = CO_TRY(number_in(arguments, "ratio", 1.3, sim::kPackRatioMax)),
        .power = CO_TRY(power_flag(*invocation, cluster.models)),
    };
    sim::Progress progress = sim_progress(*invocation);
    const sim::PackReport report = CO_TRY(sim::simulate_packing(cluster, tasks, options, progress));
    const std::string curve = arguments.value_or("curve", "");
    if (!curve.empty()) CO_TRY(write_sim_file(*invocation, curve, curve_csv(report)));
    const std::string plot = arguments.value_or("plot", "");
    if (!plot.empty())
        CO_TRY(write_sim_file(
            *invocation, plot, CO_TRY(sim::render_svg(curve_plot(report, options.policy)))
        ));
    const double refused = 100.0 * static_cast<double>(report.arrived - report.placed) /
                           static_cast<double>(report.arrived);
    CO_TRY(invocation->printer.document(
        answer_of(report, options, !arguments.has("no-timing")),
        format(
            invocation->language, "sim.pack.result", options.policy,
            fmt::format("{:.2f}", report.allocated_percent.mean()),
            fmt::format("{:.2f}", report.allocated_percent.sd()), options.seeds.size(),
            fmt::format("{:.2f}", report.fragmented_percent.mean()), fmt::format("{:.2f}", refused)
        ) + "\n"
    ));
    co_return kExitOk;
}

}  // namespace

Command sim_pack_command() {
    return {
        .path = "sim pack",
        .summary = "sim.pack.summary",
        .examples =
            {"penstock sim pack --nodes nodes.csv --pods pods.csv --policy fgd --seeds 42..51",
             "penstock sim pack --nodes nodes.csv --pods pods.csv --policy best-fit --curve c.csv"},
        .flags =
            {{.name = "nodes", .value = "FILE", .help = "flag.sim_nodes"},
             {.name = "pods", .value = "FILE", .help = "flag.sim_pods"},
             {.name = "policy", .value = "NAME", .help = "flag.sim_policy"},
             {.name = "seeds", .value = "SEEDS", .help = "flag.sim_seeds"},
             {.name = "ratio", .value = "NUMBER", .help = "flag.sim_ratio"},
             {.name = "power", .value = "FILE", .help = "flag.sim_power"},
             {.name = "curve", .value = "FILE", .help = "flag.sim_curve"},
             {.name = "plot", .value = "FILE", .help = "flag.sim_plot"},
             {.name = "no-timing", .help = "flag.sim_no_timing"}},
        .run = pack,
    };
}

}  // namespace penstock::cli
