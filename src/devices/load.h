// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace penstock::devices {

// Jiffies since boot, summed over all CPUs.
struct CpuTimes {
    std::int64_t busy = 0;
    std::int64_t total = 0;
    bool operator==(const CpuTimes&) const = default;
};
struct MemoryUse {
    std::int64_t total_bytes = 0;
    std::int64_t available_bytes = 0;
    bool operator==(const MemoryUse&) const = default;
};
Result<CpuTimes> parse_proc_stat(std::string_view text);
Result<MemoryUse> parse_meminfo(std::string_view text);
Result<double> parse_loadavg(std::string_view text);  // of the last minute

struct Load {
    double cpu_percent = 0;  // since the sample before; since boot in the first
    double memory_percent = 0;
    double load_average = 0;
};

// Samples the host for heartbeats. One owner; not for several threads.
class LoadSampler {
  public:
    explicit LoadSampler(std::string root = "") : root_(std::move(root)) {}
    Result<Load> sample();

  private:
    std::string root_;
    std::optional<CpuTimes> before_;
};

}  // namespace penstock::devices
