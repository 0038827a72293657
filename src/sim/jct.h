// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/job_file.h"
#include "sim/line_plot.h"
#include "sim/pack.h"
#include "sim/shared_training.h"

namespace penstock::sim {

// Average job completion time against input rate: every policy meets the same jobs.
struct JctOptions {
    std::vector<std::string> policies;
    std::vector<double> jobs_per_hour;
    std::vector<std::uint64_t> seeds;
    const JobFile* recorded = nullptr;  // these jobs, once each, at each rate; then no stream
    JobStreamOptions stream;            // rate and seed are set by the run
    SharedTrainingOptions training;     // the policy is set by the run
};
constexpr std::size_t kJctRatesMax = 100;

struct JctPoint {
    double jobs_per_hour = 0;
    Spread hours_mean;  // one value a seed, as all below
    Spread hours_p50;
    Spread hours_p99;
    Spread busy_percent;
    Spread moves_per_job;  // of all jobs up to the last that is measured
};

struct JctLine {
    std::string policy;
    std::vector<JctPoint> points;
};

Result<std::vector<JctLine>> simulate_jct(
    const ThroughputTable& table, const JctOptions& options, Progress& progress
);

LinePlot jct_plot(const std::vector<JctLine>& lines);
std::string jct_csv(const std::vector<JctLine>& lines);

}  // namespace penstock::sim
