// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "model/plan.h"
#include "model/site.h"
#include "sim/csv.h"

namespace penstock::sim {

// Work as it was recorded: when it came, for whom, what it asked for and how long it ran.
struct QueuedTask {
    Duration arrival{};  // since the first one
    Duration lasts{};
    std::size_t tenant = 0;  // in QueueTrace::tenants
    std::int64_t priority = 0;
    std::int64_t cpu_milli = 0;
    std::int64_t memory_mib = 0;
    std::int64_t devices_milli = 0;
    std::vector<std::string> models;  // that it may use; empty: any
    std::size_t workload = 0;         // tasks of one tenant with one request
};

struct QueueTrace {
    std::vector<QueuedTask> tasks;  // by arrival, then as in the file
    std::vector<std::string> tenants;
    std::size_t workloads = 0;
    std::size_t never_ran = 0;  // rows without a start: nobody knows how long they would have run
};

// Fields of a task by the column that holds them. Needed: arrival, and duration, or start and end;
// all in seconds. cpu_milli, memory_mib, devices, device_milli, models (joined by '|'), tenant and
// priority where a list has them.
using QueueColumns = std::map<std::string, std::string>;
constexpr std::string_view kQueueFields[] = {"arrival", "duration",     "start",     "end",
                                             "tenant",  "priority",     "cpu_milli", "memory_mib",
                                             "devices", "device_milli", "models"};
// "arrival=creation_time,tenant=qos": an error names a field that there is not.
Result<QueueColumns> parse_queue_columns(std::string_view text);

// `from` and `to` cut the arrivals, in seconds as they stand in the file.
struct QueueCut {
    double from = 0;
    double to = 1e12;
};
Result<QueueTrace> read_queue_trace(const Csv& csv, const QueueColumns& columns, QueueCut cut);

}  // namespace penstock::sim
