// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <boost/json.hpp>
#include <charconv>
#include <cmath>
#include <memory>

#include "cli/sim.h"
#include "cli/sim_cluster.h"
#include "cli/table.h"
#include "sim/jct.h"
#include "sim/seeds.h"
#include "timeshare/problem.h"

namespace penstock::cli {
namespace {

constexpr std::string_view kPoliciesDefault = "agnostic-las,gavel-las,most-throughput,least-left";
constexpr std::string_view kSeedsDefault = "0..2";
constexpr std::string_view kMeasureDefault = "4000..5000";
constexpr double kRateMax = 1e5;
constexpr double kErrorMax = 1000;
constexpr double kMoveMax = 3600;
constexpr double kPriceMax = 1e6;

struct Cluster {
    std::vector<std::string> kinds;
    std::vector<std::int64_t> devices;
};

std::unexpected<Error> wrong(std::string_view flag, std::string what) {
    return fail_field(ErrorCode::invalid_argument, "--" + std::string(flag), std::move(what));
}

Result<std::int64_t> whole_number(std::string_view flag, std::string_view text, std::int64_t max) {
    std::int64_t number = 0;
    const char* end = std::to_address(text.end());
    const auto [stop, error] = std::from_chars(std::to_address(text.begin()), end, number);
    if (error != std::errc{} || stop != end || number < 0 || number > max)
        return wrong(flag, fmt::format("'{}' is no whole number from 0 to {}", text, max));
    return number;
}

// "v100=36,p100=36"
Result<Cluster> devices_flag(const Arguments& arguments) {
    Cluster cluster;
    for (const std::string& part : names_in(TRY(needed_flag(arguments, "devices")))) {
        const std::size_t equals = part.find('=');
        if (equals == std::string::npos || equals == 0)
            return wrong("devices", "'" + part + "': write KIND=NUMBER,…");
        const std::string kind = part.substr(0, equals);
        if (std::ranges::find(cluster.kinds, kind) != cluster.kinds.end())
            return wrong("devices", kind + " is named twice");
        cluster.kinds.push_back(kind);
        cluster.devices.push_back(TRY(whole_number(
            "devices", std::string_view(part).substr(equals + 1), timeshare::kDevicesMax
        )));
    }
    return cluster;
}

// "4000..5000": the jobs from 4000 on and before 5000.
Result<void> read_measured(const Arguments& arguments, sim::SharedTrainingOptions& options) {
    const std::string text = arguments.value_or("measure", std::string(kMeasureDefault));
    const std::size_t dots = text.find("..");
    if (dots == std::string::npos) return wrong("measure", "'" + text + "': write FIRST..LAST");
    const std::string_view view = text;
    const auto max = static_cast<std::int64_t>(sim::kMeasuredJobsMax);
    options.measured_first =
        static_cast<std::size_t>(TRY(whole_number("measure", view.substr(0, dots), max)));
    options.measured_last =
        static_cast<std::size_t>(TRY(whole_number("measure", view.substr(dots + 2), max)));
    return {};
}

Result<sim::JctOptions> options_of(const Arguments& arguments, const Cluster& cluster) {
    sim::JctOptions options{
        .policies = names_in(arguments.value_or("policies", std::string(kPoliciesDefault))),
        .jobs_per_hour = TRY(numbers_in(arguments, "rates", "1,2,3,4,5,6", kRateMax)),
        .seeds = TRY(sim::parse_seeds(arguments.value_or("seeds", std::string(kSeedsDefault)))),
    };
    if (options.policies.empty()) return wrong("policies", "name at least one");
    if (options.jobs_per_hour.empty() || options.jobs_per_hour.size() > sim::kJctRatesMax)
        return wrong("rates", fmt::format("give 1 to {} rates", sim::kJctRatesMax));
    options.stream.several_devices = arguments.has("several-devices");
    options.stream.declared_error = TRY(number_in(arguments, "declared-error", 1, kErrorMax));
    if (options.stream.declared_error < 1) return wrong("declared-error", "is 1 or more");
    options.training.devices = cluster.devices;
    options.training.price_per_hour = TRY(numbers_in(arguments, "prices", "", kPriceMax));
    options.training.move_seconds = TRY(number_in(arguments, "move-seconds", 0, kMoveMax));
    TRY(read_measured(arguments, options.training));
    return options;
}

// Four digits behind the point: what is behind them may differ between mathematical libraries.
double rounded(double value) { return std::round(value * 1e4) / 1e4; }

json::Object point_object(const sim::JctPoint& point) {
    json::Array hours;
    for (const double value : point.hours_mean.values) hours.emplace_back(rounded(value));
    return {
        {"jobs_per_hour", point.jobs_per_hour},
        {"jct_hours", std::move(hours)},
        {"jct_hours_mean", rounded(point.hours_mean.mean())},
        {"jct_hours_sd", rounded(point.hours_mean.sd())},
        {"jct_hours_p50", rounded(point.hours_p50.mean())},
        {"jct_hours_p99", rounded(point.hours_p99.mean())},
        {"busy_percent", rounded(point.busy_percent.mean())},
        {"moves_per_job", rounded(point.moves_per_job.mean())},
    };
}

json::Object answer_of(const std::vector<sim::JctLine>& lines, const sim::JctOptions& options) {
    json::Array seeds;
    for (const std::uint64_t seed : options.seeds) seeds.emplace_back(seed);
    json::Array policies;
    for (const sim::JctLine& line : lines) {
        json::Array points;
        for (const sim::JctPoint& point : line.points) points.emplace_back(point_object(point));
        policies.emplace_back(json::Object{{"policy", line.policy}, {"points", std::move(points)}});
    }
    return {
        {"seeds", std::move(seeds)},
        {"measured_first", options.training.measured_first},
        {"measured_last", options.training.measured_last},
        {"several_devices", options.stream.several_devices},
        {"declared_error", options.stream.declared_error},
        {"move_seconds", options.training.move_seconds},
        {"policies", std::move(policies)},
    };
}

std::string lines_of(Language language, const std::vector<sim::JctLine>& lines) {
    std::vector<Table::Heading> headings{{std::string(text(language, "sim.jct.rate")), Align::right}
    };
    for (const sim::JctLine& line : lines) headings.push_back({line.policy, Align::right});
    Table table(std::move(headings));
    for (std::size_t i = 0; i < lines.front().points.size(); ++i) {
        std::vector<std::string> row{fmt::format("{}", lines.front().points[i].jobs_per_hour)};
        for (const sim::JctLine& line : lines)
            row.push_back(fmt::format("{:.2f}", line.points[i].hours_mean.mean()));
        table.add(std::move(row));
    }
    return format(language, "sim.jct.result") + "\n" + table.render({});
}

// With --jobs a recorded list at its own pace, each job once and all of them measured, where flags
// do not say otherwise.
Result<std::optional<sim::JobFile>> recorded_jobs(
    const Invocation& invocation, sim::ThroughputTable table, sim::JctOptions& options
) {
    const Arguments& arguments = invocation.arguments;
    const auto file = arguments.value("jobs");
    if (!file) {
        if (arguments.value("job-columns")) return wrong("job-columns", "needs --jobs");
        return std::optional<sim::JobFile>();
    }
    for (const std::string_view flag : {"several-devices", "declared-error"})
        if (arguments.has(flag)) return wrong(flag, "is of jobs that are made up, not of --jobs");
    if (!arguments.value("seeds")) options.seeds = {0};
    if (options.seeds.size() != 1) return wrong("seeds", "with --jobs there is one repetition");
    sim::JobFile jobs = TRY(sim::read_job_file(
        TRY(sim::Csv::read(sim_path(invocation, *file))),
        TRY(sim::parse_job_columns(arguments.value_or("job-columns", ""))), std::move(table),
        options.seeds.front()
    ));
    if (!arguments.value("rates")) options.jobs_per_hour = {rounded(jobs.jobs_per_hour)};
    if (!arguments.value("measure")) {
        options.training.measured_first = 0;
        options.training.measured_last = jobs.jobs.size();
    }
    invocation.say(
        "sim.jct.jobs", jobs.jobs.size(), fmt::format("{:.2f}", jobs.jobs_per_hour),
        jobs.without_devices, jobs.never_ran
    );
    return jobs;
}

// Offline: training jobs share devices of several kinds by time.
io::Task<Result<int>> jct(Invocation* invocation) {
    const Arguments& arguments = invocation->arguments;
    const Cluster cluster = CO_TRY(devices_flag(arguments));
    sim::JctOptions options = CO_TRY(options_of(arguments, cluster));
    sim::ThroughputTable table{.kinds = cluster.kinds, .types = {}};
    if (arguments.value("throughputs") || !arguments.value("jobs")) {
        const std::string file = CO_TRY(needed_flag(arguments, "throughputs"));
        table = CO_TRY(sim::read_throughputs(sim_path(*invocation, file), cluster.kinds));
    }
    const std::optional<sim::JobFile> recorded = CO_TRY(recorded_jobs(*invocation, table, options));
    if (recorded) {
        options.recorded = &*recorded;
        table = recorded->table;
    }
    sim::Progress progress = sim_progress(*invocation);
    const std::vector<sim::JctLine> lines = CO_TRY(sim::simulate_jct(table, options, progress));
    const std::string curve = arguments.value_or("curve", "");
    if (!curve.empty()) CO_TRY(write_sim_file(*invocation, curve, sim::jct_csv(lines)));
    const std::string plot = arguments.value_or("plot", "");
    if (!plot.empty())
        CO_TRY(write_sim_file(*invocation, plot, CO_TRY(sim::render_svg(sim::jct_plot(lines)))));
    CO_TRY(invocation->printer.document(
        answer_of(lines, options), lines_of(invocation->language, lines)
    ));
    co_return kExitOk;
}

}  // namespace

Command sim_jct_command() {
    return {
        .path = "sim jct",
        .summary = "sim.jct.summary",
        .examples =
            {"penstock sim jct --throughputs table.json --devices v100=36,p100=36,k80=36",
             "penstock sim jct --throughputs table.json --devices v100=36,k80=36 --rates "
             "1,2 --policies gavel-las,least-left --plot jct.svg",
             "penstock sim jct --jobs jobs.csv --job-columns arrival=submit,devices=gpus --devices "
             "gpu=64 --policies agnostic-las,gavel-las,least-left"},
        .flags =
            {{.name = "throughputs", .value = "FILE", .help = "flag.sim_throughputs"},
             {.name = "devices", .value = "KIND=N,…", .help = "flag.sim_devices"},
             {.name = "policies", .value = "NAME,…", .help = "flag.sim_jct_policies"},
             {.name = "rates", .value = "N,…", .help = "flag.sim_rates"},
             {.name = "seeds", .value = "SEEDS", .help = "flag.sim_jct_seeds"},
             {.name = "measure", .value = "FIRST..LAST", .help = "flag.sim_measure"},
             {.name = "jobs", .value = "FILE", .help = "flag.sim_jct_jobs"},
             {.name = "job-columns", .value = "FIELD=COLUMN,…", .help = "flag.sim_jct_columns"},
             {.name = "several-devices", .help = "flag.sim_several_devices"},
             {.name = "declared-error", .value = "FACTOR", .help = "flag.sim_declared_error"},
             {.name = "move-seconds", .value = "N", .help = "flag.sim_move_seconds"},
             {.name = "prices", .value = "N,…", .help = "flag.sim_prices"},
             {.name = "curve", .value = "FILE", .help = "flag.sim_jct_curve"},
             {.name = "plot", .value = "FILE", .help = "flag.sim_plot"}},
        .run = jct,
    };
}

}  // namespace penstock::cli
