// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "placement/power.h"
#include "sim/cluster_trace.h"
#include "sim/progress.h"

namespace penstock::sim {

// Tasks arrive one by one at an empty cluster until `ratio` of its devices was asked for; none
// leaves, none is retried. Per seed: the tasks in name order are shuffled, then copies drawn with
// replacement follow while S + (milli of one device) ≤ ratio × capacity, S being all milli so far.
struct PackOptions {
    std::string policy;
    std::vector<std::uint64_t> seeds;
    double ratio = 1.3;
    placement::PowerTable power;  // of every device model; empty: not known
};
constexpr double kPackRatioMax = 10;

// One value for each seed.
struct Spread {
    std::vector<double> values;
    double mean() const;
    double sd() const;  // of a sample; 0 for fewer than two
};

// Averages at each whole percent of devices asked for, over the arrivals there and then the seeds.
struct PackPoint {
    int asked_percent = 0;
    double allocated_percent = 0;
    double fragmented_percent = 0;       // of all devices
    double fragmented_idle_percent = 0;  // of those free
    double power_watts = 0;
};

struct PackReport {
    std::int64_t nodes = 0;
    std::int64_t devices = 0;
    Spread allocated_percent;  // at the end
    Spread fragmented_percent;
    Spread power_watts;
    std::int64_t arrived = 0;  // over all seeds
    std::int64_t placed = 0;
    std::vector<std::pair<std::string, std::int64_t>>
        refused;  // nodes by verdict, over all refusals
    std::vector<PackPoint> curve;
    double cpu_seconds = 0;  // of all arrivals; the only value that differs between runs
};

Result<PackReport> simulate_packing(
    const ClusterTrace& cluster, const std::vector<TracedTask>& tasks, const PackOptions& options,
    Progress& progress
);

}  // namespace penstock::sim
