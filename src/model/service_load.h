// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/describe/class.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "model/ids.h"

// What gateways tell the server of the load of elastic services. All counts are sums since the
// gateway's process began, so that a report that is lost, late or repeated changes nothing.
namespace penstock {

// Spans counted in classes of a quarter of an octave, from 100 µs to about seven minutes. Counts of
// several gateways add up, which percentiles do not.
struct SpanCounts {
    static constexpr bool kJsonDefaults = true;
    static constexpr std::size_t kClasses = 88;
    std::vector<std::int64_t> counts;  // by class; trailing zeros are left out
    void count(Duration span);
    // `earlier` is an older state of the same counts.
    SpanCounts since(const SpanCounts& earlier) const;
    void add(const SpanCounts& other);
    std::int64_t total() const;
    // The span that `share` of all are at most, interpolated within its class; nothing where fewer
    // than `samples_min` were counted.
    std::optional<Duration> percentile(double share, std::int64_t samples_min) const;
    bool operator==(const SpanCounts&) const = default;
};
BOOST_DESCRIBE_STRUCT(SpanCounts, (), (counts))

// One elastic service at one gateway.
struct ServiceUse {
    static constexpr bool kJsonDefaults = true;
    TaskId task_id;
    std::int64_t calls_arrived = 0;   // that went to a replica of it
    std::int64_t tokens_arrived = 0;  // expected of each call when it arrived, corrected at its end
    std::int64_t calls_in_flight = 0;  // now, those that wait for a replica included
    std::int64_t calls_held = 0;       // now: these
    SpanCounts first_tokens;           // of streams, from the arrival
    SpanCounts token_gaps;             // mean of each stream after its first token
    bool operator==(const ServiceUse&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    ServiceUse, (),
    (task_id, calls_arrived, tokens_arrived, calls_in_flight, calls_held, first_tokens, token_gaps)
)

// POST /v1/gateway/loads.
struct ReportLoads {
    static constexpr bool kJsonDefaults = true;
    std::string replica;              // stable name of the gateway
    RunId run;                        // of its process
    std::string region;               // where it stands, and so its callers; empty: unknown
    std::int64_t routes_version = 0;  // of the table in use
    std::vector<ServiceUse> services;
    std::vector<EndpointId> leaving;  // no longer in the table, with calls in flight
    bool operator==(const ReportLoads&) const = default;
};
BOOST_DESCRIBE_STRUCT(ReportLoads, (), (replica, run, region, routes_version, services, leaving))

struct TakenLoads {
    Duration report_every{};  // the pace that the server wants
    bool operator==(const TakenLoads&) const = default;
};
BOOST_DESCRIBE_STRUCT(TakenLoads, (), (report_every))

}  // namespace penstock
