// SPDX-License-Identifier: Apache-2.0
#include "sim/jct.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace penstock::sim {
namespace {

// The value below which that share of the others lies.
double at_share(std::vector<double> values, double share) {
    const auto at = static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
    std::ranges::nth_element(values, values.begin() + at);
    return values[static_cast<std::size_t>(at)];
}

double mean(const std::vector<double>& values) {
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

void add_to(JctPoint& point, const SharedTrainingResult& result, std::size_t jobs) {
    point.hours_mean.values.push_back(mean(result.hours));
    point.hours_p50.values.push_back(at_share(result.hours, 0.5));
    point.hours_p99.values.push_back(at_share(result.hours, 0.99));
    point.busy_percent.values.push_back(result.busy_percent);
    point.moves_per_job.values.push_back(
        static_cast<double>(result.moves) / static_cast<double>(jobs)
    );
}

Result<SharedTrainingResult> run_once(
    const ThroughputTable& table, const JctOptions& options, const JobStreamOptions& stream,
    const SharedTrainingOptions& training, Progress& progress
) {
    if (options.recorded == nullptr) return share_training(table, stream, training, progress);
    const std::vector<ArrivingJob> jobs = at_pace(*options.recorded, stream.jobs_per_hour);
    std::size_t next = 0;
    return share_training(
        table, [&] { return next < jobs.size() ? std::optional(jobs[next++]) : std::nullopt; },
        training, progress
    );
}

}  // namespace

Result<std::vector<JctLine>> simulate_jct(
    const ThroughputTable& table, const JctOptions& options, Progress& progress
) {
    SharedTrainingOptions training = options.training;
    JobStreamOptions stream = options.stream;
    std::vector<JctLine> lines;
    for (const std::string& policy : options.policies) {
        JctLine& line = lines.emplace_back(JctLine{.policy = policy});
        training.policy = policy;
        for (const double rate : options.jobs_per_hour) {
            JctPoint& point = line.points.emplace_back(JctPoint{.jobs_per_hour = rate});
            stream.jobs_per_hour = rate;
            for (const std::uint64_t seed : options.seeds) {
                stream.seed = seed;
                progress.begin(
                    fmt::format("{}, {} jobs/h, seed {}", policy, rate, seed),
                    training.measured_last - training.measured_first
                );
                add_to(
                    point, TRY(run_once(table, options, stream, training, progress)),
                    training.measured_last
                );
            }
        }
    }
    return lines;
}

LinePlot jct_plot(const std::vector<JctLine>& lines) {
    LinePlot plot{
        .title = "Average job completion time",
        .x_label = "jobs arriving an hour",
        .y_label = "hours from arrival to end",
    };
    for (const JctLine& line : lines) {
        Series series{.name = line.policy};
        for (const JctPoint& point : line.points)
            series.points.push_back({point.jobs_per_hour, point.hours_mean.mean()});
        plot.series.push_back(std::move(series));
    }
    return plot;
}

std::string jct_csv(const std::vector<JctLine>& lines) {
    std::string csv = "jobs_per_hour";
    for (const JctLine& line : lines) csv += "," + line.policy;
    csv += "\n";
    for (std::size_t i = 0; i < lines.front().points.size(); ++i) {
        csv += fmt::format("{}", lines.front().points[i].jobs_per_hour);
        for (const JctLine& line : lines)
            csv += fmt::format(",{:.4f}", line.points[i].hours_mean.mean());
        csv += "\n";
    }
    return csv;
}

}  // namespace penstock::sim
