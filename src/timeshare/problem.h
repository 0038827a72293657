// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace penstock::timeshare {

constexpr Duration kRound = 360s;
constexpr std::size_t kKindsMax = 64;
constexpr std::size_t kJobsMax = 20'000;
constexpr std::int64_t kDevicesMax = 1'000'000;  // of one kind

struct Kind {
    std::int64_t devices = 0;
    double price_per_hour = 0;  // of one device; for Policy::gavel_cost
};

struct Job {
    std::int64_t devices = 1;  // taken together, of one kind
    double weight = 1;         // > 0; twice the weight, twice the throughput
    std::vector<double> rate;  // steps/s on each kind with all its devices; 0: cannot run there
    double steps_left = 0;
    double served_s = 0;   // that its best rate would have taken for what it has done
    double rate_min = 0;   // asked for by its owner, steps/s; for Policy::gavel_cost
    double elapsed_s = 0;  // since it arrived
    double waited_s = 0;   // since it last ran, or arrived
    bool operator==(const Job&) const = default;
};

struct Problem {
    std::vector<Kind> kinds;
    double move_s = 0;  // lost by a job that starts, or starts on another kind
    std::vector<Job> jobs;
};

// Refuses what no policy could answer: no kinds, rates of the wrong number, negative or not finite
// values, a job that fits nowhere. The error names job and field.
Result<void> check(const Problem& problem);

// X[job][kind], beside the problem's jobs and kinds.
using Shares = std::vector<std::vector<double>>;

// Steps/s of a job under its shares.
double throughput(const Job& job, std::span<const double> shares);
// Whether the job can run on that kind: it has a rate there and enough devices exist.
bool runs_on(const Problem& problem, const Job& job, std::size_t kind);
// What is left of a job by what its owner declared. A job that ran past that has as much left again
// as it ran past it: declared numbers are promises, so a policy must not wait for them for ever.
double steps_left(double declared, double done);
// The highest rate over the kinds it can run on; > 0 in a checked problem.
double best_rate(const Problem& problem, const Job& job);
// Throughput on an equal part of all devices; what the policies measure a job's throughput in.
double proportional_rate(const Problem& problem, const Job& job);

}  // namespace penstock::timeshare
