// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "sim/job_stream.h"
#include "sim/progress.h"

namespace penstock::sim {

// A cluster that training jobs share by time: in rounds, from an empty cluster on, under one
// policy of `timeshare`. A job that arrives within a round waits for the next; devices of a job
// that ends within one stay idle to its end.
struct SharedTrainingOptions {
    std::string policy;
    std::vector<std::int64_t> devices;   // of each kind of the table
    std::vector<double> price_per_hour;  // of a device of each kind; empty: not known
    double move_seconds = 0;             // lost by a job that starts, or starts on another kind
    // Jobs first … last - 1 by arrival are measured; the run ends when all of them have.
    std::size_t measured_first = 0;
    std::size_t measured_last = 0;
};
constexpr std::size_t kMeasuredJobsMax = 1'000'000;
constexpr std::int64_t kRoundsMax = 20'000'000;

struct SharedTrainingResult {
    std::vector<double> hours;  // arrival to end, of the measured jobs by arrival
    double busy_percent = 0;    // of device time, until the last of them ended
    std::int64_t rounds = 0;
    std::int64_t moves = 0;  // starts on a kind that a job did not run on in the round before
};

// Jobs by arrival; nothing when no more come.
using JobSource = std::function<std::optional<ArrivingJob>()>;
// Fails where fewer jobs come than are to be measured, or one needs more devices than a kind that
// it runs on has.
Result<SharedTrainingResult> share_training(
    const ThroughputTable& table, JobSource jobs, const SharedTrainingOptions& options,
    Progress& progress
);
Result<SharedTrainingResult> share_training(
    const ThroughputTable& table, const JobStreamOptions& stream,
    const SharedTrainingOptions& options, Progress& progress
);

}  // namespace penstock::sim
