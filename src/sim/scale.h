// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <vector>

#include "placement/power.h"
#include "sim/cluster_trace.h"
#include "sim/line_plot.h"
#include "sim/progress.h"

namespace penstock::sim {

// How fast placement decides in a large cluster: a node list repeated, filled with tasks, then kept
// nearly full while tasks leave and arrive; then gangs and preemptions.
struct ScaleOptions {
    std::string policy = "fgd";
    std::int64_t repeat = 1;
    std::int64_t tasks = 50'000;  // decisions of each phase
    std::uint64_t seed = 42;
    // Where the node list names no racks and sites.
    std::int64_t nodes_per_rack = 32;
    std::int64_t racks_per_site = 64;
    std::int64_t gang_devices = 1024;
    std::int64_t preempted_devices = 256;
    std::int64_t rounds = 20;             // gangs and preemptions measured
    std::int64_t dispatch_tasks = 5'000;  // whole decisions, of each phase
    placement::PowerTable power = {};
};

// Single-task decisions of one phase. The rate counts the CPU time of everything in the phase:
// finding, taking, and giving back what leaves.
struct DecisionTimes {
    std::int64_t decisions = 0;
    double per_second = 0;
    double p50_us = 0;
    double p99_us = 0;
    double max_us = 0;
    double allocated_percent = 0;  // at the end of the phase
};
struct GroupTimes {
    std::int64_t devices = 0;
    std::int64_t members = 0;  // each on a node of its own
    std::int64_t done = 0;     // of `rounds`
    double p50_ms = 0;
    double max_ms = 0;
};

// Whole decisions, as the server makes them: dispatch_scale.h.
struct DispatchTimes {
    std::int64_t sites = 0;
    std::int64_t decisions = 0;
    std::int64_t placed = 0;
    double first_per_second = 0;     // the first ones of a new engine, each scoring all nodes
    double per_second = 0;           // the next: decided, checked and held
    double recorded_per_second = 0;  // and made into the rows that are stored
    double bytes_per_decision = 0;   // of those rows, checkpoints included
    double record_ms = 0;            // to put the record of one together, its state included
    double replay_ms = 0;            // to make it again from that; identical, or the run fails
    GroupTimes gang;                 // to decide one, half full
    GroupTimes preemption;           // to decide who leaves for one, full; priorities 0…9
    // Of the fleet, its engine and their log, after the first decisions: what the allocator had
    // given out for them by then, over the nodes. Devices are described as agents do, each with a
    // UUID of its own; tasks that were not placed do not count. Not the same on every machine.
    double bytes_per_node = 0;
};

struct ScaleReport {
    std::int64_t nodes = 0;
    std::int64_t devices = 0;
    std::int64_t shapes = 0;
    DecisionTimes empty;        // from the first task on, each shape's first scoring included
    DecisionTimes saturated;    // tasks leave at random, so that the next one fits
    double bytes_per_node = 0;  // of the placer alone
    DispatchTimes dispatch;
};

// `tasks`: what arrives, drawn with replacement.
Result<ScaleReport> measure_scale(
    const ClusterTrace& cluster, const std::vector<TracedTask>& tasks, const ScaleOptions& options,
    Progress& progress
);

// One line a phase, decisions a second over the nodes of each report.
LinePlot scale_plot(std::span<const ScaleReport> reports);

// A mix for clusters without a task list: 13 % CPU only, 38 % shares of a device, 47 % one device,
// 2 % two, four or eight; 2…16 cores a device; 85 shapes at most. The same for the same seed.
std::vector<TracedTask> made_up_tasks(std::uint64_t seed);

}  // namespace penstock::sim
