// SPDX-License-Identifier: Apache-2.0
#include "scheduler/profile.h"

#include <algorithm>
#include <vector>

#include "scheduler/amount_text.h"

namespace penstock::scheduler {
namespace {

constexpr std::size_t kPercent = 100;

// The smallest rank, 1…n, at or below which `percent` of the runs lie.
template <class Value>
Value quantile(const std::vector<Value>& sorted, std::size_t percent) {
    const std::size_t rank = (sorted.size() * percent + kPercent - 1) / kPercent;
    return sorted[std::max<std::size_t>(rank, 1) - 1];
}

void set_bounds(RunSummary& summary, const std::vector<Duration>& sorted) {
    constexpr std::size_t kTail = (kPercent - kIntervalPercent) / 2;
    const std::size_t places = sorted.size() + 1;
    const std::size_t low = places * kTail / kPercent;
    const std::size_t high = (places * (kPercent - kTail) + kPercent - 1) / kPercent;
    if (low >= 1) summary.low = sorted[low - 1];
    if (high <= sorted.size()) summary.high = sorted[high - 1];
}

std::string span_text(Duration span) {
    return value_text(Term::duration, std::chrono::duration<double>(span).count());
}

template <class Runs>
std::vector<std::int64_t> sorted_of(const Runs& runs, std::int64_t Run::* figure) {
    std::vector<std::int64_t> sorted;
    for (const Run& run : runs) sorted.push_back(run.*figure);
    std::ranges::sort(sorted);
    return sorted;
}

void set_accelerator(TaskSpec& spec, const std::optional<Accelerator>& accelerator) {
    if (accelerator) spec.resources.accelerators = Accelerators{.choices = {*accelerator}};
}

}  // namespace

void History::add(const std::string& workload, const Run& run) {
    Workload& kept = workloads_[workload];
    oldest_.erase(kept.touched);
    kept.touched = ++additions_;
    oldest_[kept.touched] = workload;
    kept.runs.push_back(run);
    if (kept.runs.size() > kRunsKeptMax) kept.runs.pop_front();
    if (workloads_.size() <= kWorkloadsMax) return;
    workloads_.erase(oldest_.begin()->second);
    oldest_.erase(oldest_.begin());
}

std::vector<Duration> History::run_times(const std::string& workload) const {
    std::vector<Duration> sorted;
    const auto found = workloads_.find(workload);
    if (found == workloads_.end()) return sorted;
    for (const Run& run : found->second.runs) sorted.push_back(run.run_time);
    std::ranges::sort(sorted);
    return sorted;
}

std::optional<RunSummary> History::find(const std::string& workload) const {
    const auto found = workloads_.find(workload);
    if (found == workloads_.end()) return std::nullopt;
    const std::deque<Run>& runs = found->second.runs;
    std::vector<Duration> sorted = run_times(workload);
    RunSummary summary{
        .runs = sorted.size(), .p50 = quantile(sorted, 50), .p90 = quantile(sorted, 90)
    };
    set_bounds(summary, sorted);
    if (const std::int64_t peak = sorted_of(runs, &Run::memory_peak_mib).back(); peak > 0)
        summary.memory_peak_mib = peak;
    std::vector<std::int64_t> used = sorted_of(runs, &Run::cpu_milli);
    std::erase(used, 0);
    if (!used.empty()) summary.cpu_milli = quantile(used, 50);
    summary.result_bytes = quantile(sorted_of(runs, &Run::result_bytes), 50);
    return summary;
}

std::string workload_text(const TaskSpec& spec, const std::optional<Accelerator>& accelerator) {
    TaskSpec alike;
    alike.kind = spec.kind;
    alike.num_nodes = spec.num_nodes;
    alike.workdir_sha256 = spec.workdir_sha256;
    alike.resources.image_id = spec.resources.image_id;
    alike.resources.cpus = spec.resources.cpus;
    alike.envs = spec.envs;
    alike.setup = spec.setup;
    alike.run = spec.run;
    set_accelerator(alike, accelerator);
    return json::print(alike);
}

std::string named_workload_text(
    const TaskSpec& spec, const std::optional<Accelerator>& accelerator
) {
    TaskSpec alike;
    alike.kind = spec.kind;
    alike.name = spec.name;
    set_accelerator(alike, accelerator);
    return json::print(alike);
}

std::string basis_text(const RunSummary& summary) {
    std::string text = "history of " + std::to_string(summary.runs) +
                       (summary.runs == 1 ? " run" : " runs") + ", p50 " + span_text(summary.p50) +
                       ", p90 " + span_text(summary.p90);
    if (summary.low && summary.high)
        text += ", " + std::to_string(kIntervalPercent) + " % within " + span_text(*summary.low) +
                " to " + span_text(*summary.high);
    else
        text += ", too few for bounds";
    if (summary.memory_peak_mib) text += ", memory peak " + memory_text(*summary.memory_peak_mib);
    return text;
}

}  // namespace penstock::scheduler
