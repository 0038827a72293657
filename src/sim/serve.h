// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/result.h"
#include "model/task_spec.h"
#include "sim/engine.h"
#include "sim/progress.h"
#include "sim/serve_sites.h"
#include "sim/serve_summary.h"
#include "sim/serve_trace.h"
#include "tasks/autoscaler.h"

namespace penstock::sim {

// One run: a trace at a rate against a fleet of equal engines. Without sites they stand beside
// their callers, behind one router. With sites every region has a router of its own, which knows of
// the others' calls only what engines tell; a call and each event of its answer take half of the
// round trip to the site.
struct ServeOptions {
    std::string policy = "penstock";
    const ServeSites* sites = nullptr;    // borrowed
    std::string placement = "by_region";  // of replicas over sites: replica_placer.h
    Strategy strategy{.latency = 1};      // of the placement
    double rate = 1;                      // of the trace's own: 2 brings the calls twice as fast
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

// Virtual time, one thread, no clock: the same arguments give the same result on every machine.
// Fails when an option is out of range or a call fits no engine.
Result<ServeResult> run_serve(
    std::span<const ServeRequest> trace, const ServeOptions& options, Progress* progress
);

}  // namespace penstock::sim
