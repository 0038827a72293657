// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <boost/json.hpp>

#include "cli/sim.h"
#include "cli/sim_cluster.h"
#include "cli/table.h"
#include "sim/line_plot.h"
#include "sim/sites.h"

namespace penstock::cli {
namespace {

constexpr std::int64_t kTasksDefault = 1000;
constexpr std::int64_t kDaysDefault = 7;
constexpr std::int64_t kDaysMax = 366;
constexpr double kSecondsPerHour = 3600;
constexpr std::array<std::string_view, scheduler::kTermCount> kTerms = {
    "cost", "duration_s", "security", "latency_ms", "carbon_g"
};

Result<sim::Csv> csv_flag(const Invocation& invocation, std::string_view flag) {
    return sim::Csv::read(sim_path(invocation, TRY(needed_flag(invocation.arguments, flag))));
}

// The tables; hourly files that the sites file names lie relative to it.
Result<sim::SiteScenario> scenario_of(const Invocation& invocation) {
    const Arguments& arguments = invocation.arguments;
    const std::filesystem::path sites = sim_path(invocation, TRY(needed_flag(arguments, "sites")));
    return sim::read_scenario(
        {.sites = TRY(sim::Csv::read(sites)),
         .pools = TRY(csv_flag(invocation, "pools")),
         .links = TRY(csv_flag(invocation, "links")),
         .carbon_column = arguments.value_or("carbon-column", ""),
         .power_price_column = arguments.value_or("price-column", ""),
         .open = [folder = sites.parent_path()](const std::string& file
                 ) { return sim::Csv::read(folder / file); }}
    );
}

struct Inputs {
    sim::SiteScenario scenario;
    std::vector<sim::SiteTask> tasks;
    sim::SitesOptions options;
};

Result<Time> start_flag(const Arguments& arguments) {
    const Result<Time> start = parse_rfc3339(TRY(needed_flag(arguments, "start")));
    if (!start) return fail_field(ErrorCode::invalid_argument, "--start", start.error().message);
    return *start;
}

std::vector<std::string> strategies_of(const Arguments& arguments) {
    std::vector<std::string> names;
    std::string_view rest;
    const std::string given = arguments.value_or("strategies", "");
    for (rest = given; !rest.empty();) {
        const std::size_t comma = std::min(rest.find(','), rest.size());
        names.emplace_back(rest.substr(0, comma));
        rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
    if (names.empty()) names.assign(sim::kSiteStrategies.begin(), sim::kSiteStrategies.end());
    return names;
}

Result<Inputs> inputs_of(const Invocation& invocation) {
    const Arguments& arguments = invocation.arguments;
    Inputs inputs{.scenario = TRY(scenario_of(invocation))};
    inputs.options = {
        .strategies = strategies_of(arguments),
        .start = TRY(start_flag(arguments)),
        .seed = static_cast<std::uint64_t>(TRY(integer_in(arguments, "seed", 42, INT64_MAX)))
    };
    if (!arguments.value_or("tasks", "").empty()) {
        const sim::Csv csv = TRY(csv_flag(invocation, "tasks"));
        inputs.tasks = TRY(sim::read_site_tasks(csv, inputs.scenario));
        return inputs;
    }
    const auto count = TRY(
        integer_in(arguments, "count", kTasksDefault, static_cast<std::int64_t>(sim::kSiteTasksMax))
    );
    const auto days = TRY(integer_in(arguments, "days", kDaysDefault, kDaysMax));
    inputs.tasks = sim::made_up_site_tasks(
        inputs.scenario, static_cast<std::size_t>(count), days * 24h, inputs.options.seed
    );
    return inputs;
}

json::Object outcome_object(
    const sim::StrategyOutcome& outcome, const sim::SiteScenario& scenario
) {
    json::Object means, at, busy;
    for (std::size_t t = 0; t < kTerms.size(); ++t) means[kTerms[t]] = outcome.means[t];
    for (std::size_t i = 0; i < scenario.sites.size(); ++i)
        at[scenario.sites[i].name] = outcome.tasks_at[i];
    for (std::size_t i = 0; i < scenario.pools.size(); ++i) {
        const sim::SitePool& pool = scenario.pools[i];
        busy[scenario.sites[pool.site].name + "/" + pool.model] = outcome.device_hours_in[i];
    }
    return {
        {"strategy", outcome.strategy},
        {"means", std::move(means)},
        {"late", outcome.late},
        {"waited", outcome.waited},
        {"wait_hours_mean", outcome.wait_hours_mean},
        {"moved_gb", outcome.moved_gb},
        {"tasks_at", std::move(at)},
        {"device_hours_in", std::move(busy)},
    };
}

json::Object answer_of(const sim::SitesReport& report, const Inputs& inputs) {
    json::Array outcomes;
    for (const sim::StrategyOutcome& outcome : report.outcomes)
        outcomes.emplace_back(outcome_object(outcome, inputs.scenario));
    json::Object best;
    for (std::size_t t = 0; t < kTerms.size(); ++t) best[kTerms[t]] = report.best[t];
    return {
        {"start", to_rfc3339(inputs.options.start)},
        {"seed", inputs.options.seed},
        {"sites", inputs.scenario.sites.size()},
        {"tasks", inputs.tasks.size()},
        {"strategies", std::move(outcomes)},
        {"best", std::move(best)},
        {"balanced_near_best_terms", report.balanced_near_best},
    };
}

std::string table_of(const sim::SitesReport& report) {
    Table table(
        {{"STRATEGY"},
         {"COST", Align::right},
         {"DURATION-H", Align::right},
         {"SECURITY", Align::right},
         {"LATENCY-MS", Align::right},
         {"CARBON-G", Align::right},
         {"WAIT-H", Align::right},
         {"LATE", Align::right},
         {"MOVED-GB", Align::right}}
    );
    for (const sim::StrategyOutcome& outcome : report.outcomes)
        table.add(
            {outcome.strategy, fmt::format("{:.3f}", outcome.means[0]),
             fmt::format("{:.3f}", outcome.means[1] / kSecondsPerHour),
             fmt::format("{:.3f}", outcome.means[2]), fmt::format("{:.1f}", outcome.means[3]),
             fmt::format("{:.0f}", outcome.means[4]),
             fmt::format("{:.2f}", outcome.wait_hours_mean), std::to_string(outcome.late),
             fmt::format("{:.0f}", outcome.moved_gb)}
        );
    return table.render({});
}

// A row a task and strategy, for tools that look closer.
std::string decisions_csv(const sim::SitesReport& report, const Inputs& inputs) {
    std::string csv =
        "strategy,task,arrival_s,site,model,wait_s,late,cost,duration_s,security,latency_ms,"
        "carbon_g\n";
    for (const sim::StrategyOutcome& outcome : report.outcomes)
        for (const sim::SiteDecision& each : outcome.decisions) {
            const sim::SitePool& pool = inputs.scenario.pools[each.pool];
            csv += fmt::format(
                "{},{},{:.0f},{},{},{:.0f},{},{:.6f},{:.3f},{:.3f},{:.3f},{:.3f}\n",
                outcome.strategy, each.task + 1, to_seconds(inputs.tasks[each.task].arrival),
                inputs.scenario.sites[pool.site].name, pool.model, to_seconds(each.wait),
                each.late ? 1 : 0, each.terms[0], each.terms[1], each.terms[2], each.terms[3],
                each.terms[4]
            );
        }
    return csv;
}

// One term as it adds up while tasks arrive, a line a strategy.
sim::LinePlot term_plot(const sim::SitesReport& report, const Inputs& inputs, std::size_t term) {
    constexpr double kSecondsPerDay = 86'400;
    constexpr std::size_t kPointsMax = 1000;  // of a line
    sim::LinePlot plot{
        .title = fmt::format("{} of all tasks so far, by strategy", kTerms[term]),
        .x_label = "days since the start",
        .y_label = fmt::format("{}, sum", kTerms[term])
    };
    const std::size_t step = inputs.tasks.size() / kPointsMax + 1;
    for (const sim::StrategyOutcome& outcome : report.outcomes) {
        sim::Series series{.name = outcome.strategy};
        double sum = 0;
        for (std::size_t i = 0; i < outcome.decisions.size(); ++i) {
            const sim::SiteDecision& each = outcome.decisions[i];
            sum += each.terms[term];
            if (i % step != 0 && i + 1 != outcome.decisions.size()) continue;
            const double day = to_seconds(inputs.tasks[each.task].arrival) / kSecondsPerDay;
            series.points.push_back({day, sum});
        }
        plot.series.push_back(std::move(series));
    }
    return plot;
}

Result<void> write_files(
    const Invocation& invocation, const sim::SitesReport& report, const Inputs& inputs
) {
    const std::string decisions = invocation.arguments.value_or("decisions", "");
    if (!decisions.empty())
        TRY(write_sim_file(invocation, decisions, decisions_csv(report, inputs)));
    const std::string plots = invocation.arguments.value_or("plots", "");
    if (plots.empty()) return {};
    for (std::size_t t = 0; t < kTerms.size(); ++t)
        TRY(write_sim_file(
            invocation, fmt::format("{}/{}.svg", plots, kTerms[t]),
            TRY(sim::render_svg(term_plot(report, inputs, t)))
        ));
    return {};
}

// Offline: tasks arrive at sites with their own grids and prices, under each strategy in turn.
io::Task<Result<int>> sites(Invocation* invocation) {
    const Inputs inputs = CO_TRY(inputs_of(*invocation));
    sim::Progress progress = sim_progress(*invocation);
    const sim::SitesReport report =
        CO_TRY(sim::simulate_sites(inputs.scenario, inputs.tasks, inputs.options, progress));
    CO_TRY(write_files(*invocation, report, inputs));
    CO_TRY(invocation->printer.document(
        answer_of(report, inputs),
        table_of(report) +
            format(
                invocation->language, "sim.sites.result", inputs.tasks.size(),
                inputs.scenario.sites.size(), report.balanced_near_best
            ) +
            "\n"
    ));
    co_return kExitOk;
}

}  // namespace

Command sim_sites_command() {
    return {
        .path = "sim sites",
        .summary = "sim.sites.summary",
        .examples =
            {"penstock sim sites --sites sites.csv --pools pools.csv --links links.csv --start "
             "2024-03-01T00:00:00Z --days 7",
             "penstock sim sites --sites sites.csv --pools pools.csv --links links.csv --tasks "
             "tasks.csv --start 2024-03-01T00:00:00Z --plots . -o json"},
        .flags =
            {{.name = "sites", .value = "FILE", .help = "flag.sim_sites"},
             {.name = "pools", .value = "FILE", .help = "flag.sim_pools"},
             {.name = "links", .value = "FILE", .help = "flag.sim_links"},
             {.name = "tasks", .value = "FILE", .help = "flag.sim_site_tasks"},
             {.name = "count", .value = "N", .help = "flag.sim_count"},
             {.name = "days", .value = "N", .help = "flag.sim_days"},
             {.name = "start", .value = "TIME", .help = "flag.sim_start"},
             {.name = "seed", .value = "N", .help = "flag.sim_seed"},
             {.name = "strategies", .value = "NAME,…", .help = "flag.sim_strategies"},
             {.name = "carbon-column", .value = "COLUMN", .help = "flag.sim_carbon_column"},
             {.name = "price-column", .value = "COLUMN", .help = "flag.sim_price_column"},
             {.name = "decisions", .value = "FILE", .help = "flag.sim_decisions"},
             {.name = "plots", .value = "FOLDER", .help = "flag.sim_plots"}},
        .run = sites,
    };
}

}  // namespace penstock::cli
