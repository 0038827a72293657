// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "model/plan.h"
#include "model/site.h"
#include "scheduler/run_times.h"

// When will waiting work start? The queue before it is played forward many times, each time with
// run times drawn from what is known of like work.
namespace penstock::scheduler {

constexpr std::size_t kEstimateSamples = 99;    // so that one in ten is a rank
constexpr std::size_t kEstimateAheadMax = 512;  // more that stand before it: unknown
constexpr std::size_t kEstimateStepsMax =
    10'000'000;  // looks at what waits, in all samples; then unknown

struct EstimateRunning {
    std::size_t node = 0;  // index
    ResourceRequest request;
    Duration elapsed{};
    RunTimes times;
};
struct EstimatePlace {
    std::size_t node = 0;
    ResourceRequest request;
};
struct EstimateWaiting {
    std::vector<EstimatePlace> places;  // where it could run, preferred first
    RunTimes times;
};
struct EstimateInput {
    std::vector<Capacity> nodes;
    std::vector<EstimateRunning> running;
    std::vector<EstimateWaiting> waiting;  // in the order of the queue; the last is asked about
    std::uint64_t seed = 1;
};

// How long it still waits: in one of ten, one of two and nine of ten samples it is not longer.
// Absent: what has to end before has no known end in that many samples.
struct WaitQuantiles {
    std::optional<Duration> p10;
    std::optional<Duration> p50;
    std::optional<Duration> p90;
    bool limits_only = false;      // some of it is known by a time limit alone: an upper bound
    std::size_t corrected_by = 0;  // starts that it was compared with; see start_record.h
    bool too_many = false;         // kEstimateAheadMax or kEstimateStepsMax
};

// Known simplifications: what stands before it starts in the order of the queue wherever there is
// room for it; nobody new comes before it; nothing is preempted.
WaitQuantiles estimate_wait(const EstimateInput& input);

}  // namespace penstock::scheduler
