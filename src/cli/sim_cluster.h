// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli/invocation.h"
#include "sim/cluster_trace.h"
#include "sim/power_table.h"

// Files that several subcommands of `penstock sim` read.
namespace penstock::cli {

// The flag's value; an error says that it is needed.
Result<std::string> needed_flag(const Arguments& arguments, std::string_view flag);
// The number of a flag, or `otherwise`; outside min…max an error names the flag.
Result<std::int64_t> integer_in(
    const Arguments& arguments, std::string_view flag, std::int64_t otherwise, std::int64_t max
);
Result<double> number_in(
    const Arguments& arguments, std::string_view flag, double otherwise, double max
);
// The parts of "a,b,c"; empty ones are left out.
std::vector<std::string> names_in(std::string_view list);
// The numbers of a flag "1,2.5", each above 0 and up to `max`.
Result<std::vector<double>> numbers_in(
    const Arguments& arguments, std::string_view flag, const std::string& otherwise, double max
);
Result<sim::ClusterTrace> read_cluster_flag(const Invocation& invocation);  // --nodes
// --power; without it the figures that come with the program. Empty, with a word on stderr, when
// those do not know a device model of the cluster.
Result<placement::PowerTable> power_flag(
    const Invocation& invocation, const sim::ModelNames& models
);

}  // namespace penstock::cli
