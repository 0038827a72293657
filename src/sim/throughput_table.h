// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"

namespace penstock::sim {

constexpr std::size_t kThroughputBytesMax = 64UL * 1024 * 1024;

// Steps a second of a type of training on so many devices of one kind, beside the table's kinds;
// 0: it cannot run there.
struct JobType {
    std::string name;
    std::int64_t devices = 1;
    std::vector<double> rate;
    bool operator==(const JobType&) const = default;
};

struct ThroughputTable {
    std::vector<std::string> kinds;
    std::vector<JobType> types;  // by devices, then name
};

// Reads {kind: {"('type', devices)": {"null": steps a second, …}}} for the kinds that are asked
// for; rates of pairs that share a device are left aside. Every type needs a rate on each of the
// kinds, 0 where it cannot run. `name` stands in the messages.
Result<ThroughputTable> parse_throughputs(
    std::string_view text, const std::string& name, const std::vector<std::string>& kinds
);
Result<ThroughputTable> read_throughputs(
    const std::filesystem::path& file, const std::vector<std::string>& kinds
);

}  // namespace penstock::sim
