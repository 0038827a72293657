// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "scheduler/scheduler.h"

// What earlier runs tell of the next one.
namespace penstock::scheduler {

constexpr std::size_t kRunsKeptMax = 128;      // of one workload: the newest
constexpr std::size_t kWorkloadsMax = 10'000;  // then the one that ran longest ago is forgotten
constexpr std::size_t kIntervalPercent = 80;   // share of next runs that fall within the bounds

// One item that ran from its start to a success.
struct Run {
    Duration run_time{};
    std::int64_t memory_peak_mib = 0;  // 0: not metered
    std::int64_t cpu_milli = 0;        // used, on average over the run; 0: not metered
    std::int64_t result_bytes = 0;
};

// Of n runs the next one falls between the a-th and the b-th shortest with the chance (b − a) ÷
// (n + 1), whatever the distribution, as long as runs are alike. A bound is absent where there are
// too few runs to state it.
struct RunSummary {
    std::size_t runs = 0;
    Duration p50{};
    Duration p90{};
    std::optional<Duration> low;
    std::optional<Duration> high;
    std::optional<std::int64_t> memory_peak_mib;  // the highest
    std::optional<std::int64_t> cpu_milli;        // of the median run among the metered
    std::int64_t result_bytes = 0;                // of the median run
};

// Runs by workload. The same runs in the same order give the same history.
class History {
  public:
    void add(const std::string& workload, const Run& run);
    std::optional<RunSummary> find(const std::string& workload) const;
    std::vector<Duration> run_times(const std::string& workload) const;  // sorted
    std::size_t workloads() const { return workloads_.size(); }

  private:
    struct Workload {
        std::deque<Run> runs;
        std::uint64_t touched = 0;
    };
    std::map<std::string, Workload> workloads_;
    std::map<std::uint64_t, std::string> oldest_;  // touched → workload
    std::uint64_t additions_ = 0;
};

// What makes two runs alike: script, image, environment, work directory and size, on that
// accelerator. Nothing of the name, labels, money or placement. To be hashed by who keeps it.
std::string workload_text(const TaskSpec& spec, const std::optional<Accelerator>& accelerator);
// The same by name alone, for a task whose script changed.
std::string named_workload_text(
    const TaskSpec& spec, const std::optional<Accelerator>& accelerator
);

// "history of 12 runs, p50 40s, p90 1m5s, 80 % within 31s to 1m5s, memory peak 300 MiB"
std::string basis_text(const RunSummary& summary);

}  // namespace penstock::scheduler
