// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <charconv>

#include "cli/sim.h"
#include "cli/sim_cluster.h"
#include "cli/sim_scale_answer.h"

namespace penstock::cli {
namespace {

constexpr std::int64_t kRepeatMax = 1000;
constexpr std::size_t kRepeatsMax = 100;
constexpr std::int64_t kTasksMax = 10'000'000;
constexpr std::int64_t kCellMax = 100'000;
constexpr std::int64_t kGroupMax = 100'000;
constexpr std::int64_t kRoundsMax = 1000;

Result<sim::ScaleOptions> options_of(const Arguments& arguments) {
    sim::ScaleOptions options;
    options.policy = arguments.value_or("policy", options.policy);
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

// "1,8,33": each a cluster of its own.
Result<std::vector<std::int64_t>> repeats_of(const Arguments& arguments) {
    std::vector<std::int64_t> repeats;
    for (const std::string& word : names_in(arguments.value_or("repeat", "1"))) {
        std::int64_t repeat = 0;
        const char* end = word.data() + word.size();
        const auto [stop, error] = std::from_chars(word.data(), end, repeat);
        if (error != std::errc{} || stop != end || repeat < 1 || repeat > kRepeatMax)
            return fail_field(
                ErrorCode::invalid_argument, "--repeat",
                fmt::format("{} is not from 1 to {}", word, kRepeatMax)
            );
        repeats.push_back(repeat);
    }
    if (repeats.empty() || repeats.size() > kRepeatsMax)
        return fail_field(
            ErrorCode::invalid_argument, "--repeat",
            fmt::format("give 1 to {} numbers", kRepeatsMax)
        );
    return repeats;
}

// Offline: how fast placement decides in a large cluster.
io::Task<Result<int>> scale(Invocation* invocation) {
    const Arguments& arguments = invocation->arguments;
    sim::ScaleOptions options = CO_TRY(options_of(arguments));
    const std::vector<std::int64_t> repeats = CO_TRY(repeats_of(arguments));
    if (arguments.has("no-timing") && arguments.value("plot"))
        co_return fail_field(
            ErrorCode::invalid_argument, "--plot", "shows rates, which --no-timing leaves out"
        );
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
    std::vector<sim::ScaleReport> reports;
    for (const std::int64_t repeat : repeats) {
        options.repeat = repeat;
        reports.push_back(CO_TRY(sim::measure_scale(cluster, tasks, options, progress)));
    }
    if (const auto file = arguments.value("plot"))
        CO_TRY(write_sim_file(*invocation, *file, CO_TRY(sim::render_svg(sim::scale_plot(reports))))
        );
    CO_TRY(print_scale(*invocation, reports, options));
    co_return kExitOk;
}

}  // namespace

Command sim_scale_command() {
    return {
        .path = "sim scale",
        .summary = "sim.scale.summary",
        .examples =
            {"penstock sim scale --nodes nodes.csv --repeat 8 --tasks 50000 -o json",
             "penstock sim scale --nodes nodes.csv --repeat 1,8,33 --plot rates.svg"},
        .flags =
            {{.name = "nodes", .value = "FILE", .help = "flag.sim_nodes"},
             {.name = "pods", .value = "FILE", .help = "flag.sim_pods_drawn"},
             {.name = "policy", .value = "NAME", .help = "flag.sim_policy"},
             {.name = "repeat", .value = "N,…", .help = "flag.sim_repeat"},
             {.name = "tasks", .value = "N", .help = "flag.sim_tasks"},
             {.name = "seed", .value = "N", .help = "flag.sim_seed"},
             {.name = "power", .value = "FILE", .help = "flag.sim_power"},
             {.name = "nodes-per-rack", .value = "N", .help = "flag.sim_nodes_per_rack"},
             {.name = "racks-per-site", .value = "N", .help = "flag.sim_racks_per_site"},
             {.name = "gang-devices", .value = "N", .help = "flag.sim_gang"},
             {.name = "preempted-devices", .value = "N", .help = "flag.sim_preempted"},
             {.name = "rounds", .value = "N", .help = "flag.sim_rounds"},
             {.name = "dispatch-tasks", .value = "N", .help = "flag.sim_dispatch"},
             {.name = "plot", .value = "FILE", .help = "flag.sim_plot"},
             {.name = "no-timing", .help = "flag.sim_no_timing"}},
        .run = scale,
    };
}

}  // namespace penstock::cli
