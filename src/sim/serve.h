// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/result.h"
#include "sim/engine.h"
#include "sim/progress.h"
#include "sim/serve_trace.h"
#include "tasks/autoscaler.h"

namespace penstock::sim {

// One run: a trace at a rate against a fleet of equal engines behind one router.
struct ServeOptions {
    std::string policy = "penstock";
    double rate = 1;  // of the trace's own: 2 brings the calls twice as fast
    std::size_t replicas = 4;
    // Where set, the fleet grows and shrinks instead.
    std::optional<tasks::AutoscaleTargets> autoscale = {};
    EngineModel engine = {};
    Duration first_token_max = 5s;   // of a call that counts as well served
    Duration token_gap_max = 100ms;  // as well: mean time between its tokens
    std::uint64_t seed = 42;
};

constexpr double kServeRateMax = 1000;
constexpr std::size_t kServeReplicasMax = 1024;

struct ServeResult {
    std::size_t calls = 0;
    double cache_hit_share = 0;  // of prompt tokens
    double first_token_ms_p50 = 0;
    double first_token_ms_p99 = 0;
    double token_gap_ms_p50 = 0;  // mean of a call
    double token_gap_ms_p99 = 0;
    double attained_share = 0;      // of calls within both limits
    double goodput_per_second = 0;  // of those, from the first arrival to the last byte
    double imbalance = 1;  // calls on the fullest replica over the mean, averaged over arrivals
    double replica_hours = 0;
    std::size_t replicas_most = 0;
    std::int64_t cold_starts = 0;  // after the first replicas
};

// Virtual time, one thread, no clock: the same arguments give the same result on every machine.
// Fails when an option is out of range or a call fits no engine.
Result<ServeResult> run_serve(
    std::span<const ServeRequest> trace, const ServeOptions& options, Progress* progress
);

}  // namespace penstock::sim
