// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "model/compute_quota.h"
#include "scheduler/queue_round.h"
#include "sim/cluster_trace.h"
#include "sim/progress.h"
#include "sim/queue_trace.h"

namespace penstock::sim {

// A named set of rules: reservations (what the server does), passing (whatever fits starts), strict
// (nobody passes the first that does not fit). All reclaim alike.
struct QueueDiscipline {
    std::string name;
    scheduler::QueueRules rules;
};
Result<QueueDiscipline> queue_discipline(const std::string& name);

struct TenantRules {
    std::string tenant;
    ComputeQuota quota;
    bool preemptible = false;
    bool spot = false;
};

struct QueueOptions {
    std::vector<QueueDiscipline> disciplines;
    std::vector<TenantRules> tenants;
    double load = 0;  // device time asked ÷ device time there is, over the arrivals; 0: all nodes
    std::uint64_t seed = 1;            // of the choice of nodes and of the estimates
    Duration checkpoint_every = 600s;  // of preemptible work; what came after is lost
    std::size_t estimates_max = 2000;  // tasks that had to wait whose start is foretold
};

struct WaitGroup {
    std::string name;
    std::size_t tasks = 0;
    double mean_s = 0;
    double p50_s = 0;
    double p90_s = 0;
    double p99_s = 0;
};

// Predicted against actual starts of tasks that had to wait when they came.
struct Calibration {
    std::size_t foretold = 0;  // estimates made
    std::size_t bounded = 0;   // with both an earliest and a latest start
    std::size_t inside = 0;    // of those, that started between
    std::size_t early = 0;
    std::size_t late = 0;
    std::size_t expected = 0;   // with an expected start
    double median_error_s = 0;  // absolute, of the expected start
    double median_wait_s = 0;   // of the same tasks
};

struct QueueOutcome {
    std::string discipline;
    WaitGroup all;
    std::vector<WaitGroup> by_tenant;
    std::vector<WaitGroup> by_size;
    std::size_t evictions = 0;
    double device_hours_lost = 0;
    double devices_busy_percent = 0;  // from the first arrival to the last end
    Calibration calibration;
    std::vector<double> waits_s;  // sorted
};

struct QueueReport {
    std::size_t nodes = 0;
    std::int64_t devices = 0;
    std::size_t tasks = 0;
    std::size_t never_ran = 0;
    std::size_t impossible = 0;  // fit no node of the chosen ones
    double span_s = 0;           // from the first arrival to the last
    std::vector<QueueOutcome> outcomes;
};

// Replays recorded arrivals through scheduler::QueueRound, which is the server's own queue, with
// virtual time. A run time is known from earlier runs of its workload in the replay and by nothing
// else; the first ones are unknown. Devices of a node are counted, not placed one by one.
Result<QueueReport> simulate_queue(
    const ClusterTrace& cluster, const QueueTrace& trace, const QueueOptions& options,
    Progress& progress
);

}  // namespace penstock::sim
