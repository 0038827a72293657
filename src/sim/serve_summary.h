// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/time.h"
#include "sim/serve_sites.h"
#include "sim/serve_trace.h"

namespace penstock::sim {

// Calls of one region.
struct ServeRegionResult {
    std::string region;
    std::size_t calls = 0;
    double first_token_ms_p50 = 0;
    double first_token_ms_p99 = 0;
};

// Replicas at one site.
struct ServeSiteResult {
    std::string site;
    std::size_t calls = 0;  // that went there
    std::size_t replicas_most = 0;
    double replica_hours = 0;
};

struct ServeResult {
    std::size_t calls = 0;
    double cache_hit_share = 0;  // of prompt tokens
    double first_token_ms_p50 = 0;
    double first_token_ms_p99 = 0;
    double token_gap_ms_p50 = 0;  // mean of a call
    double token_gap_ms_p99 = 0;
    double attained_share = 0;      // of calls within both limits
    double goodput_per_second = 0;  // of those, from the first arrival to the last byte
    double tokens_per_second = 0;   // of answers, over the same span
    double round_trip_ms_mean = 0;  // between callers and engines, over calls
    double imbalance = 1;  // calls on the fullest replica over the mean, averaged over arrivals
    double replica_hours = 0;
    std::size_t replicas_most = 0;
    std::int64_t cold_starts = 0;            // after the first replicas
    std::vector<ServeRegionResult> regions;  // in the order of the links; none without sites
    std::vector<ServeSiteResult> sites;      // in the order of their file
};

// A call as its caller saw it.
struct CallTimes {
    std::size_t region = 0;
    std::size_t site = 0;
    Time arrived;
    Time first_token;
    Time done;
};

// The nearest rank, 0 where there are none; the values are reordered.
double nearest_rank(std::vector<double>& values, double share);

// Times, rates and shares of `calls`, which stand beside the trace; what is known of replicas alone
// is left open.
struct SummaryLimits {
    Duration first_token_max{};
    Duration token_gap_max{};
};
ServeResult summary_of(
    std::span<const ServeRequest> trace, std::span<const CallTimes> calls, const ServeSites* sites,
    const SummaryLimits& limits
);

}  // namespace penstock::sim
