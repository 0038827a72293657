// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/money.h"
#include "base/time.h"
#include "model/allowance.h"
#include "model/endpoint.h"
#include "model/ids.h"
#include "model/units.h"

// What operators see of gateways: where each may send calls, what it carries, what it holds.
namespace penstock {

// Two processes of one gateway may run for a while: the second one's replica ends with this.
constexpr std::string_view kSecondProcess = "~2";
// Of the gateway that the replica is a process of.
constexpr std::string_view gateway_name(std::string_view replica) {
    if (replica.ends_with(kSecondProcess)) replica.remove_suffix(kSecondProcess.size());
    return replica;
}

enum class GatewayState {
    serving,
    draining,  // takes no new calls; what runs is finished
    drained,   // nothing runs, all is settled, no lease is held
    away       // has not reported of late
};
BOOST_DESCRIBE_ENUM(GatewayState, serving, draining, drained, away)

enum class BreakerState {
    closed,     // calls go there
    open,       // the endpoint is left alone
    half_open,  // the next call is a probe
    probing     // a probe is under way
};
BOOST_DESCRIBE_ENUM(BreakerState, closed, open, half_open, probing)

enum class BreakerCause { none, failures, slowness };
BOOST_DESCRIBE_ENUM(BreakerCause, none, failures, slowness)

struct BreakerStatus {
    static constexpr bool kJsonDefaults = true;
    BreakerState state = BreakerState::closed;
    BreakerCause cause = BreakerCause::none;
    std::optional<Time> since;       // it is not closed
    std::optional<Time> next_probe;  // absent: it is closed, or a probe is under way
    std::int64_t times_opened = 0;   // in a row, without a probe that succeeded
    bool operator==(const BreakerStatus&) const = default;
};
BOOST_DESCRIBE_STRUCT(BreakerStatus, (), (state, cause, since, next_probe, times_opened))

// One endpoint as one gateway sees it. Figures are of its provider for the model and of the last
// ten minutes, rates of this endpoint alone; what is absent has not been measured.
struct EndpointStatus {
    static constexpr bool kJsonDefaults = true;
    EndpointId endpoint_id;
    std::string model;
    std::string provider;
    std::string site;
    EndpointState state = EndpointState::ready;  // in the gateway's table
    std::int64_t weight = 0;
    std::int64_t calls_in_flight = 0;
    std::int64_t calls_waiting = 0;  // of these, without a first token
    BreakerStatus breaker;
    std::int64_t retries_left = 0;  // that the model's budget allows now
    std::optional<double> first_token_ms_p50;
    std::optional<double> first_token_ms_p95;
    std::optional<double> tokens_per_second_p50;
    std::optional<double> success_share;  // 0 … 1
    std::int64_t samples = 0;             // of success_share
    std::optional<double> base_ms;        // learned: base + tokens × ms + blocks × ms
    std::optional<double> ms_per_token;
    std::optional<double> ms_per_block;
    std::optional<double> cache_used_share;            // as the engine tells, 0 … 1
    std::optional<std::int64_t> engine_calls_waiting;  // likewise
    bool operator==(const EndpointStatus&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    EndpointStatus, (),
    (endpoint_id, model, provider, site, state, weight, calls_in_flight, calls_waiting, breaker,
     retries_left, first_token_ms_p50, first_token_ms_p95, tokens_per_second_p50, success_share,
     samples, base_ms, ms_per_token, ms_per_block, cache_used_share, engine_calls_waiting)
)

// What a gateway does with a lease; what was granted and settled the server knows itself.
struct LeaseUse {
    LeaseId lease_id;
    Units held;  // by calls in flight
    Units used;  // by calls that have ended, settled or not
    Units free;
    bool operator==(const LeaseUse&) const = default;
};
BOOST_DESCRIBE_STRUCT(LeaseUse, (), (lease_id, held, used, free))

// POST /v1/gateway/status. The answer comes after `wait`, or when the server wants a report at
// once.
struct ReportGateway {
    static constexpr bool kJsonDefaults = true;
    std::string replica;
    RunId run;  // of the process
    std::string region;
    Time started_at;
    Duration wait{};
    bool told_to_drain = false;  // by the route table in use
    GatewayState state = GatewayState::serving;
    bool ready = false;
    std::int64_t routes_version = 0;
    std::int64_t calls_in_flight = 0;
    std::int64_t calls_held = 0;   // wait for the first replica of a service
    std::int64_t batch_lines = 0;  // claimed and not yet reported
    std::int64_t holds_open = 0;
    Money held;               // by them, yuan
    std::int64_t leases = 0;  // of which a part is kept
    std::int64_t breakers_open = 0;
    bool has_unsettled = false;
    std::vector<std::string> refused_routes;  // "ep_…: why it cannot be used"
    // Only where the server has asked for details.
    bool detailed = false;
    std::vector<EndpointStatus> endpoints;
    std::int64_t endpoints_left_out = 0;
    std::vector<LeaseUse> lease_uses;
    std::int64_t lease_uses_left_out = 0;
    bool operator==(const ReportGateway&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    ReportGateway, (),
    (replica, run, region, started_at, wait, told_to_drain, state, ready, routes_version,
     calls_in_flight, calls_held, batch_lines, holds_open, held, leases, breakers_open,
     has_unsettled, refused_routes, detailed, endpoints, endpoints_left_out, lease_uses,
     lease_uses_left_out)
)
struct GatewayWishes {
    static constexpr bool kJsonDefaults = true;
    bool details = false;           // somebody looks: send them with the next report
    std::vector<LeaseId> recalled;  // ask about these now: others wait for what is not used of them
    bool operator==(const GatewayWishes&) const = default;
};
BOOST_DESCRIBE_STRUCT(GatewayWishes, (), (details, recalled))

// That a gateway is to take no new calls; kept until it is lifted.
struct GatewayDrain {
    std::string name;
    Time since;
    std::string actor;
    bool operator==(const GatewayDrain&) const = default;
};
BOOST_DESCRIBE_STRUCT(GatewayDrain, (), (name, since, actor))

// ---- shown ----

// What only operators see of it is absent for others.
struct GatewayStatus {
    std::string name;
    GatewayState state = GatewayState::away;
    std::optional<Time> draining_since;
    std::optional<std::string> drained_by;
    std::string region;
    std::optional<Time> reported_at;  // absent: not since this server began
    std::optional<Time> started_at;
    std::int64_t processes = 0;       // that report
    std::int64_t routes_version = 0;  // of its table; 0: unknown
    std::int64_t routes_current = 0;  // of the platform's
    std::optional<bool> ready;
    std::optional<std::int64_t> calls_in_flight;
    std::optional<std::int64_t> calls_held;
    std::optional<std::int64_t> batch_lines;
    std::optional<std::int64_t> holds_open;
    std::optional<Money> held;
    std::optional<std::int64_t> leases;
    std::optional<std::int64_t> breakers_open;
    std::optional<bool> has_unsettled;
    std::optional<std::vector<std::string>> refused_routes;
    bool operator==(const GatewayStatus&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    GatewayStatus, (),
    (name, state, draining_since, drained_by, region, reported_at, started_at, processes,
     routes_version, routes_current, ready, calls_in_flight, calls_held, batch_lines, holds_open,
     held, leases, breakers_open, has_unsettled, refused_routes)
)

// An endpoint of the platform at a gateway.
struct GatewayRoute : EndpointStatus {
    std::string gateway;
    bool in_table = true;             // false: the gateway has not reported it
    std::optional<Time> reported_at;  // how old all of this is; absent: nothing was reported
    bool operator==(const GatewayRoute&) const = default;
};
BOOST_DESCRIBE_STRUCT(GatewayRoute, (EndpointStatus), (gateway, in_table, reported_at))

// A part of a wallet or limit in a gateway's hands.
struct GatewayLease {
    LeaseId id;
    std::string gateway;
    std::string replica;  // the process it belongs to
    std::int64_t epoch = 0;
    OrganisationId organisation_id;
    std::string organisation;
    AllowanceAccount account;
    Units granted;  // all three since the lease began
    Units returned;
    Units settled;
    Units outstanding;  // granted − returned − settled: counts as taken
    // As the gateway tells; absent where it has not.
    std::optional<Units> held;
    std::optional<Units> unsettled;  // used by calls that have ended, not yet settled
    std::optional<Units> free;
    std::optional<std::int64_t> fill_percent;  // free, of what is outstanding
    Time expires_at;
    std::optional<Time> reported_at;
    bool operator==(const GatewayLease&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    GatewayLease, (),
    (id, gateway, replica, epoch, organisation_id, organisation, account, granted, returned,
     settled, outstanding, held, unsettled, free, fill_percent, expires_at, reported_at)
)

}  // namespace penstock
