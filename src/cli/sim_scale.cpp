// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <boost/json.hpp>

#include "cli/sim.h"
#include "cli/sim_cluster.h"
#include "sim/scale.h"

namespace penstock::cli {
namespace {

constexpr std::int64_t kRepeatMax = 1000;
constexpr std::int64_t kTasksMax = 10'000'000;
constexpr std::int64_t kCellMax = 100'000;
constexpr std::int64_t kGroupMax = 100'000;
constexpr std::int64_t kRoundsMax = 1000;

json::Object decision_object(const sim::DecisionTimes& times) {
    return {
        {"decisions", times.decisions}, {"decisions_per_second", times.per_second},
        {"p50_us", times.p50_us},       {"p99_us", times.p99_us},
        {"max_us", times.max_us},       {"allocated_percent", times.allocated_percent},
    };
}

json::Object group_object(const sim::GroupTimes& times) {
    return {
        {"devices", times.devices},
        {"placed_rounds", times.done},
        {"p50_ms", times.p50_ms},
        {"max_ms", times.max_ms},
    };
}

json::Object answer_of(const sim::ScaleReport& report, const sim::ScaleOptions& options) {
    return {
        {"policy", options.policy},
        {"seed", options.seed},
        {"nodes", report.nodes},
        {"devices", report.devices},
        {"shapes", report.shapes},
        {"decisions_per_second", std::min(report.empty.per_second, report.saturated.per_second)},
        {"p50_us", std::max(report.empty.p50_us, report.saturated.p50_us)},
        {"p99_us", std::max(report.empty.p99_us, report.saturated.p99_us)},
        {"bytes_per_node", report.bytes_per_node},
        {"empty", decision_object(report.empty)},
        {"saturated", decision_object(report.saturated)},
        {"gang", group_object(report.gang)},
        {"preemption", group_object(report.preemption)},
        {"dispatch",
         json::Object{
             {"sites", report.dispatch.sites},
             {"decisions", report.dispatch.decisions},
             {"placed", report.dispatch.placed},
             {"first_decisions_per_second", report.dispatch.first_per_second},
             {"decisions_per_second", report.dispatch.per_second},
             {"recorded_decisions_per_second", report.dispatch.recorded_per_second},
             {"bytes_per_decision", report.dispatch.bytes_per_decision},
             {"record_ms", report.dispatch.record_ms},
             {"replay_ms", report.dispatch.replay_ms},
             {"gang_nodes", report.dispatch.gang_nodes},
             {"gangs", report.dispatch.gangs},
             {"gang_p50_ms", report.dispatch.gang_p50_ms},
             {"gang_max_ms", report.dispatch.gang_max_ms},
         }},
    };
}

std::string lines_of(Language language, const sim::ScaleReport& report) {
    const auto rounded = [](double value) { return fmt::format("{:.1f}", value); };
    const auto whole = [](double value) { return fmt::format("{:.0f}", value); };
    std::string lines = format(
                            language, "sim.scale.cluster", report.nodes, report.devices,
                            report.shapes, whole(report.bytes_per_node)
                        ) +
                        "\n";
    for (const auto& [label, times] :
         {std::pair{text(language, "sim.scale.empty"), report.empty},
          std::pair{text(language, "sim.scale.saturated"), report.saturated}})
        lines += format(
                     language, "sim.scale.decisions", label, whole(times.per_second),
                     rounded(times.p50_us), rounded(times.p99_us), rounded(times.allocated_percent)
                 ) +
                 "\n";
    lines += format(
                 language, "sim.scale.gang", report.gang.devices, rounded(report.gang.p50_ms),
                 rounded(report.gang.max_ms), report.gang.done
             ) +
             "\n";
    lines += format(
                 language, "sim.scale.preemption", report.preemption.devices,
                 rounded(report.preemption.p50_ms), rounded(report.preemption.max_ms),
                 report.preemption.done
             ) +
             "\n";
    if (report.dispatch.decisions > 0)
        lines += format(
                     language, "sim.scale.dispatch", whole(report.dispatch.per_second),
                     whole(report.dispatch.recorded_per_second),
                     whole(report.dispatch.bytes_per_decision)
                 ) +
                 "\n";
    return lines;
}

Result<sim::ScaleOptions> options_of(const Arguments& arguments) {
    sim::ScaleOptions options;
    options.policy = arguments.value_or("policy", options.policy);
    options.repeat = TRY(integer_in(arguments, "repeat", options.repeat, kRepeatMax));
    options.tasks = TRY(integer_in(arguments, "tasks", options.tasks, kTasksMax));
    options.seed = static_cast<std::uint64_t>(
        TRY(integer_in(arguments, "seed", static_cast<std::int64_t>(options.seed), INT64_MAX))
    );
    options.nodes_per_rack =
        TRY(integer_in(arguments, "nodes-per-rack", options.nodes_per_rack, kCellMax));
    options.racks_per_site =
        TRY(integer_in(arguments, "racks-per-site", options.racks_per_site, kCellMax));
    options.gang_devices =
        TRY(integer_in(arguments, "gang-devices", options.gang_devices, kGroupMax));
    options.preempted_devices =
        TRY(integer_in(arguments, "preempted-devices", options.preempted_devices, kGroupMax));
    options.rounds = TRY(integer_in(arguments, "rounds", options.rounds, kRoundsMax));
    options.dispatch_tasks =
        TRY(integer_in(arguments, "dispatch-tasks", options.dispatch_tasks, kTasksMax));
    return options;
}

// Offline: how fast placement decides in a large cluster.
io::Task<Result<int>> scale(Invocation* invocation) {
    const Arguments& arguments = invocation->arguments;
    sim::ScaleOptions options = CO_TRY(options_of(arguments));
    sim::ClusterTrace cluster = CO_TRY(read_cluster_flag(*invocation));
    std::vector<sim::TracedTask> tasks = sim::made_up_tasks(options.seed);
    const std::string pods = arguments.value_or("pods", "");
    if (!pods.empty()) {
        const sim::Csv csv = CO_TRY(sim::Csv::read(sim_path(*invocation, pods)));
        tasks = CO_TRY(sim::read_tasks(csv, cluster.models));
    }
    if (options.policy.contains("pwr") || options.policy == "composite")
        options.power = CO_TRY(power_flag(*invocation, cluster.models));
    if (!cluster.memory_known) invocation->say("sim.no_memory");
    sim::Progress progress = sim_progress(*invocation);
    const sim::ScaleReport report = CO_TRY(sim::measure_scale(cluster, tasks, options, progress));
    CO_TRY(invocation->printer.document(
        answer_of(report, options), lines_of(invocation->language, report)
    ));
    co_return kExitOk;
}

}  // namespace

Command sim_scale_command() {
    return {
        .path = "sim scale",
        .summary = "sim.scale.summary",
        .examples = {"penstock sim scale --nodes nodes.csv --repeat 8 --tasks 50000 -o json"},
        .flags =
            {{.name = "nodes", .value = "FILE", .help = "flag.sim_nodes"},
             {.name = "pods", .value = "FILE", .help = "flag.sim_pods_drawn"},
             {.name = "policy", .value = "NAME", .help = "flag.sim_policy"},
             {.name = "repeat", .value = "N", .help = "flag.sim_repeat"},
             {.name = "tasks", .value = "N", .help = "flag.sim_tasks"},
             {.name = "seed", .value = "N", .help = "flag.sim_seed"},
             {.name = "power", .value = "FILE", .help = "flag.sim_power"},
             {.name = "nodes-per-rack", .value = "N", .help = "flag.sim_nodes_per_rack"},
             {.name = "racks-per-site", .value = "N", .help = "flag.sim_racks_per_site"},
             {.name = "gang-devices", .value = "N", .help = "flag.sim_gang"},
             {.name = "preempted-devices", .value = "N", .help = "flag.sim_preempted"},
             {.name = "rounds", .value = "N", .help = "flag.sim_rounds"},
             {.name = "dispatch-tasks", .value = "N", .help = "flag.sim_dispatch"}},
        .run = scale,
    };
}

}  // namespace penstock::cli
