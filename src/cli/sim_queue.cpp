// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <boost/json.hpp>
#include <cmath>

#include "cli/quota.h"
#include "cli/sim.h"
#include "cli/sim_cluster.h"
#include "cli/table.h"
#include "sim/line_plot.h"
#include "sim/queue.h"

namespace penstock::cli {
namespace {

constexpr double kLoadMax = 100;
constexpr double kSecondsMax = 1e12;
constexpr std::int64_t kEstimatesMax = 100'000;

std::vector<std::string> words_of(std::string_view text) {
    std::vector<std::string> words;
    while (!text.empty()) {
        const std::size_t comma = std::min(text.find(','), text.size());
        if (comma > 0) words.emplace_back(text.substr(0, comma));
        text.remove_prefix(std::min(comma + 1, text.size()));
    }
    return words;
}

sim::TenantRules& rules_for(std::vector<sim::TenantRules>& all, const std::string& tenant) {
    const auto found = std::ranges::find(all, tenant, &sim::TenantRules::tenant);
    return found == all.end() ? all.emplace_back(sim::TenantRules{.tenant = tenant}) : *found;
}

// "LS:weight=2,guaranteed:any=40,at-most:any=60"
Result<void> read_quota(const std::string& text, std::vector<sim::TenantRules>& all) {
    const std::size_t mark = text.find(':');
    if (mark == 0 || mark == std::string::npos)
        return fail_field(
            ErrorCode::invalid_argument, "--quota",
            "'" + text + "' is not TENANT:PART,…: for instance LS:weight=2,guaranteed:any=40"
        );
    Arguments parts;
    for (const std::string& part : words_of(std::string_view(text).substr(mark + 1))) {
        const std::size_t kind = part.find(':');
        if (kind != std::string::npos)
            parts.flags[part.substr(0, kind)].push_back(part.substr(kind + 1));
        else if (part.starts_with("weight="))
            parts.flags["weight"].push_back(part.substr(7));
        else
            return fail_field(
                ErrorCode::invalid_argument, "--quota",
                "'" + part + "' is none of weight=N, guaranteed:RESOURCE=N, at-most:RESOURCE=N"
            );
    }
    sim::TenantRules& rules = rules_for(all, text.substr(0, mark));
    rules.quota = TRY(quota_from_flags(parts, rules.quota));
    if (const std::vector<Error> errors = check(rules.quota, "--quota"); !errors.empty())
        return std::unexpected(errors.front());
    return {};
}

Result<sim::QueueOptions> options_of(const Arguments& arguments) {
    sim::QueueOptions options;
    std::vector<std::string> names = words_of(arguments.value_or("disciplines", ""));
    if (names.empty()) names = {"reservations", "passing", "strict"};
    for (const std::string& name : names)
        options.disciplines.push_back(TRY(sim::queue_discipline(name)));
    for (const std::string& quota : arguments.values("quota"))
        TRY(read_quota(quota, options.tenants));
    for (const std::string& tenant : words_of(arguments.value_or("preemptible", "")))
        rules_for(options.tenants, tenant).preemptible = true;
    for (const std::string& tenant : words_of(arguments.value_or("spot", "")))
        rules_for(options.tenants, tenant).spot = true;
    options.load = TRY(number_in(arguments, "load", 0, kLoadMax));
    options.seed = static_cast<std::uint64_t>(TRY(integer_in(arguments, "seed", 42, INT64_MAX)));
    options.estimates_max = static_cast<std::size_t>(TRY(integer_in(
        arguments, "estimates", static_cast<std::int64_t>(options.estimates_max), kEstimatesMax
    )));
    if (const auto every = arguments.value("checkpoint-every"))
        options.checkpoint_every = TRY(parse_duration(*every));
    return options;
}

json::Object group_object(const sim::WaitGroup& group) {
    return {
        {"name", group.name},        {"tasks", group.tasks},      {"wait_mean_s", group.mean_s},
        {"wait_p50_s", group.p50_s}, {"wait_p90_s", group.p90_s}, {"wait_p99_s", group.p99_s},
    };
}

double share(std::size_t part, std::size_t all) {
    return all == 0 ? 0 : static_cast<double>(part) / static_cast<double>(all);
}

json::Object calibration_object(const sim::Calibration& calibration) {
    return {
        {"foretold", calibration.foretold},
        {"with_both_bounds", calibration.bounded},
        {"inside_share", share(calibration.inside, calibration.bounded)},
        {"before_earliest_share", share(calibration.early, calibration.bounded)},
        {"after_latest_share", share(calibration.late, calibration.bounded)},
        {"with_expected_start", calibration.expected},
        {"error_median_s", calibration.median_error_s},
        {"wait_median_s", calibration.median_wait_s},
    };
}

json::Object outcome_object(const sim::QueueOutcome& outcome) {
    json::Array tenants, sizes;
    for (const sim::WaitGroup& group : outcome.by_tenant) tenants.emplace_back(group_object(group));
    for (const sim::WaitGroup& group : outcome.by_size) sizes.emplace_back(group_object(group));
    return {
        {"discipline", outcome.discipline},
        {"all", group_object(outcome.all)},
        {"by_tenant", std::move(tenants)},
        {"by_size", std::move(sizes)},
        {"evictions", outcome.evictions},
        {"device_hours_lost", outcome.device_hours_lost},
        {"devices_busy_percent", outcome.devices_busy_percent},
        {"calibration", calibration_object(outcome.calibration)},
    };
}

json::Object answer_of(const sim::QueueReport& report, const sim::QueueOptions& options) {
    json::Array outcomes;
    for (const sim::QueueOutcome& outcome : report.outcomes)
        outcomes.emplace_back(outcome_object(outcome));
    return {
        {"nodes", report.nodes},
        {"devices", report.devices},
        {"tasks", report.tasks},
        {"never_ran", report.never_ran},
        {"impossible", report.impossible},
        {"span_s", report.span_s},
        {"load", options.load},
        {"seed", options.seed},
        {"disciplines", std::move(outcomes)},
    };
}

std::string table_of(const sim::QueueReport& report) {
    Table table(
        {{"DISCIPLINE"},
         {"GROUP"},
         {"TASKS", Align::right},
         {"WAIT-MEAN", Align::right},
         {"WAIT-P50", Align::right},
         {"WAIT-P90", Align::right},
         {"WAIT-P99", Align::right}}
    );
    for (const sim::QueueOutcome& outcome : report.outcomes) {
        const auto add = [&](const sim::WaitGroup& group) {
            if (group.tasks == 0) return;
            table.add(
                {outcome.discipline, group.name, std::to_string(group.tasks),
                 fmt::format("{:.0f}s", group.mean_s), fmt::format("{:.0f}s", group.p50_s),
                 fmt::format("{:.0f}s", group.p90_s), fmt::format("{:.0f}s", group.p99_s)}
            );
        };
        add(outcome.all);
        for (const sim::WaitGroup& group : outcome.by_tenant) add(group);
        for (const sim::WaitGroup& group : outcome.by_size) add(group);
    }
    return table.render({});
}

std::string words_of(const sim::QueueReport& report, Language language) {
    std::string text = format(
                           language, "sim.queue.result", report.tasks, report.nodes, report.devices,
                           report.never_ran, report.impossible
                       ) +
                       "\n";
    for (const sim::QueueOutcome& outcome : report.outcomes) {
        const sim::Calibration& found = outcome.calibration;
        text += format(
                    language, "sim.queue.outcome", outcome.discipline, outcome.evictions,
                    fmt::format("{:.1f}", outcome.device_hours_lost),
                    fmt::format("{:.1f}", outcome.devices_busy_percent),
                    fmt::format("{:.1f}", 100 * share(found.inside, found.bounded)), found.bounded,
                    fmt::format("{:.0f}", found.median_error_s),
                    fmt::format("{:.0f}", found.median_wait_s)
                ) +
                "\n";
    }
    return text;
}

// Which share of tasks had started after so long, a line a discipline.
sim::LinePlot plot_of(const sim::QueueReport& report) {
    constexpr std::size_t kPointsMax = 1000;
    sim::LinePlot plot{
        .title = "Tasks that started after so long, by discipline",
        .x_label = "decimal logarithm of seconds waited (0: a second or less)",
        .y_label = "tasks, %"
    };
    for (const sim::QueueOutcome& outcome : report.outcomes) {
        sim::Series series{.name = outcome.discipline};
        const std::size_t count = outcome.waits_s.size();
        for (std::size_t i = 0; i < count; i += count / kPointsMax + 1)
            series.points.push_back(
                {std::log10(std::max(outcome.waits_s[i], 1.0)), 100 * share(i + 1, count)}
            );
        plot.series.push_back(std::move(series));
    }
    return plot;
}

// Offline: recorded work comes to the server's own queue, under each discipline in turn.
io::Task<Result<int>> queue(Invocation* invocation) {
    const Arguments& arguments = invocation->arguments;
    const sim::ClusterTrace cluster = CO_TRY(read_cluster_flag(*invocation));
    const std::filesystem::path tasks =
        sim_path(*invocation, CO_TRY(needed_flag(arguments, "tasks")));
    const sim::QueueColumns columns =
        CO_TRY(sim::parse_queue_columns(arguments.value_or("map", "")));
    const sim::QueueCut cut{
        .from = CO_TRY(number_in(arguments, "from", 0, kSecondsMax)),
        .to = CO_TRY(number_in(arguments, "to", kSecondsMax, kSecondsMax))
    };
    const sim::QueueTrace trace =
        CO_TRY(sim::read_queue_trace(CO_TRY(sim::Csv::read(tasks)), columns, cut));
    const sim::QueueOptions options = CO_TRY(options_of(arguments));
    sim::Progress progress = sim_progress(*invocation);
    const sim::QueueReport report = CO_TRY(sim::simulate_queue(cluster, trace, options, progress));
    if (const std::string file = arguments.value_or("plot", ""); !file.empty())
        CO_TRY(write_sim_file(*invocation, file, CO_TRY(sim::render_svg(plot_of(report)))));
    CO_TRY(invocation->printer.document(
        answer_of(report, options), table_of(report) + words_of(report, invocation->language)
    ));
    co_return kExitOk;
}

}  // namespace

Command sim_queue_command() {
    return {
        .path = "sim queue",
        .summary = "sim.queue.summary",
        .examples =
            {"penstock sim queue --nodes nodes.csv --tasks tasks.csv --load 0.9",
             "penstock sim queue --nodes nodes.csv --tasks tasks.csv --map "
             "arrival=creation_time,start=scheduled_time,end=deletion_time,tenant=qos --load 0.9 "
             "--preemptible BE --quota LS:guaranteed:any=40 --plot waits.svg -o json"},
        .flags =
            {{.name = "nodes", .value = "FILE", .help = "flag.sim_nodes"},
             {.name = "tasks", .value = "FILE", .help = "flag.sim_queue_tasks"},
             {.name = "map", .value = "FIELD=COLUMN,…", .help = "flag.sim_map"},
             {.name = "from", .value = "SECONDS", .help = "flag.sim_from"},
             {.name = "to", .value = "SECONDS", .help = "flag.sim_to"},
             {.name = "load", .value = "SHARE", .help = "flag.sim_load"},
             {.name = "disciplines", .value = "NAME,…", .help = "flag.sim_disciplines"},
             {.name = "preemptible", .value = "TENANT,…", .help = "flag.sim_preemptible"},
             {.name = "spot", .value = "TENANT,…", .help = "flag.sim_spot"},
             {.name = "quota", .value = "TENANT:PART,…", .help = "flag.sim_quota", .repeated = true
             },
             {.name = "checkpoint-every", .value = "SPAN", .help = "flag.sim_checkpoint_every"},
             {.name = "estimates", .value = "N", .help = "flag.sim_estimates"},
             {.name = "seed", .value = "N", .help = "flag.sim_seed"},
             {.name = "plot", .value = "FILE", .help = "flag.sim_queue_plot"}},
        .run = queue,
    };
}

}  // namespace penstock::cli
