// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "sim/csv.h"
#include "sim/job_stream.h"

namespace penstock::sim {

constexpr std::size_t kJobFileRowsMax = 1'000'000;

// Fields of a job by the column that holds them. Needed: arrival, devices, and one of steps,
// duration, or start and end; times in seconds. type names a type of the throughput table.
using JobColumns = std::map<std::string, std::string>;
// "arrival=submit_time,devices=num_gpu"; a field that is not named is the column of its own name.
Result<JobColumns> parse_job_columns(std::string_view text);

// Training jobs as they were recorded, and what they run like.
struct JobFile {
    ThroughputTable table;
    std::vector<ArrivingJob> jobs;    // by arrival, then as in the file; the first arrives at 0
    std::size_t without_devices = 0;  // rows left out: they ask for none
    std::size_t never_ran = 0;        // left out as well: nobody knows how long they would have run
    double jobs_per_hour = 0;         // over the span of the arrivals
};

// What a row does not say comes from the table or the seed:
//   duration  is what the job took on its devices of the reference kind, the table's first, or of
//             the first kind that its type has a rate on
//   no type   a type is drawn from those of the table with as many devices
// Without a table (`table.types` empty) a step is a second on every kind, and types are numbers of
// devices. Numbers of devices are whole; shares of a device are counted as one.
Result<JobFile> read_job_file(
    const Csv& csv, const JobColumns& columns, ThroughputTable table, std::uint64_t seed
);

// The same jobs, brought at another pace.
std::vector<ArrivingJob> at_pace(const JobFile& file, double jobs_per_hour);

}  // namespace penstock::sim
