// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/money.h"
#include "base/time.h"
#include "model/ids.h"
#include "model/outlook.h"
#include "model/restarts.h"
#include "model/site.h"

// What the scheduler answers: every candidate with its five terms, or the filter that removed it.
namespace penstock {

// What one item of a task takes of a node while it runs.
struct ResourceRequest {
    static constexpr bool kJsonDefaults = true;
    std::int64_t cpu_milli = 0;
    std::int64_t memory_mib = 0;
    std::optional<Accelerator> accelerator;
    bool linked = false;  // all its devices in one link domain (Device::link_domain)
    bool operator==(const ResourceRequest&) const = default;
};
BOOST_DESCRIBE_STRUCT(ResourceRequest, (), (cpu_milli, memory_mib, accelerator, linked))

// Lower is better, each in its own unit. An absent term is an input nobody gave: it costs the worst
// regret and is shown as unknown.
struct Terms {
    static constexpr bool kJsonDefaults = true;
    std::optional<Money> cost;         // expected price of the item with egress and restarts, yuan
    std::optional<double> duration_s;  // queue + staging + run
    std::optional<double> security;    // 0…1: share of optional controls that are missing
    std::optional<double> latency_ms;  // round trip to the user
    std::optional<double> carbon_g;    // gCO2e
    // Of `cost`: what sending sites ask for the bytes. It counts in the choice; nobody charges it.
    // Absent: nothing is asked.
    std::optional<Money> egress;
    // Of `cost`: what is expected to be run again, where such work was seen to start again; it
    // counts in the choice and is no estimate of a charge. Absent: unknown, so nothing is counted.
    std::optional<Money> restarts;
    // How long it runs is unknown: cost and carbon are of an hour of running, duration is without
    // the run, and egress is beside the cost.
    bool per_hour = false;
    bool operator==(const Terms&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    Terms, (), (cost, duration_s, security, latency_ms, carbon_g, egress, restarts, per_hour)
)

// Why a candidate is out. Stable names: they are part of the API and of golden tests.
enum class FilterReason {
    none,
    node_unreachable,
    node_cordoned,
    node_unhealthy,
    insufficient_cpu,  // asked more than is free now
    insufficient_memory,
    insufficient_accelerator,
    cpu_too_large,  // asked more than the node ever has
    memory_too_large,
    accelerator_absent,
    limit_not_enforced,
    trust_too_low,
    residency_not_allowed,
    provider_not_allowed,
    site_not_allowed,
    region_not_allowed,
    identity_differs,
    rtt_too_high,
    rtt_unknown,
    green_too_low,
    green_unknown,
    price_above_maximum,
    over_budget,
    deadline_too_near,
    excluded_after_failure,
    spot_not_sold,
    kept_for_others,  // free, and reserved for work that is ahead
    left_to_others,   // free, and worth more to work of the same project that waits too
};
BOOST_DESCRIBE_ENUM(
    FilterReason, none, node_unreachable, node_cordoned, node_unhealthy, insufficient_cpu,
    insufficient_memory, insufficient_accelerator, cpu_too_large, memory_too_large,
    accelerator_absent, limit_not_enforced, trust_too_low, residency_not_allowed,
    provider_not_allowed, site_not_allowed, region_not_allowed, identity_differs, rtt_too_high,
    rtt_unknown, green_too_low, green_unknown, price_above_maximum, over_budget, deadline_too_near,
    excluded_after_failure, spot_not_sold, kept_for_others, left_to_others
)

struct Candidate {
    SiteId site_id;
    std::string site;
    std::string provider;
    std::string region;
    NodeId node_id;
    std::string node;
    ResourceRequest request;  // with the accelerator chosen for this node
    FilterReason filter = FilterReason::none;
    std::string filter_detail;  // "asks 8 cpus, 2 are free of 4"
    Terms terms;
    Terms regret_inputs_best;     // best of each term over the feasible candidates
    std::optional<double> score;  // weighted loss; lower is better
    std::optional<std::int64_t> rank;
    Price price_per_hour;
    std::optional<Time> start_at;  // absent: at once
    bool chosen = false;
    bool simulated = false;
    std::optional<std::int64_t> alike;  // more nodes of its pool in the same position, not listed
    std::optional<std::int64_t> price_percent;  // of the list price, as it pays; absent: 100
    std::optional<OutlookAge> outlook;          // of its site; absent: none is stated
    std::optional<RestartRate> restarts;        // of such work there; absent: too little is known
    bool operator==(const Candidate&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    Candidate, (),
    (site_id, site, provider, region, node_id, node, request, filter, filter_detail, terms,
     regret_inputs_best, score, rank, price_per_hour, start_at, chosen, simulated, alike,
     price_percent, outlook, restarts)
)

// A part of a service's users: where they call from.
struct CallerShare {
    std::string region;
    double share = 1;  // of all calls
    bool operator==(const CallerShare&) const = default;
};
BOOST_DESCRIBE_STRUCT(CallerShare, (), (region, share))

// How a gang lies: its members are the chosen candidates, in the order of their ranks.
struct GangPlan {
    std::int64_t members = 1;  // asked for
    std::int64_t room = 0;     // nodes that could take one member now
    std::string level;  // smallest kind of cell that holds it: domain, rack, site, metro, any
    std::string cell;   // its name: "centre/r1"
    std::int64_t sites = 0;
    bool ever = true;  // false: not even with all its nodes free; waiting does not help
    bool operator==(const GangPlan&) const = default;
};
BOOST_DESCRIBE_STRUCT(GangPlan, (), (members, room, level, cell, sites, ever))

// What waiting for a better hour gains.
struct LaterStart {
    Time start_at;
    std::string place;  // "centre/n1"
    Terms terms;
    std::optional<std::string>
        place_now;  // the best that could start at once; absent: nothing could
    std::optional<Terms> terms_now;
    std::string text;  // "from 02:00 on centre/n1: 50 g CO2e instead of 500 g (90% less)"
    std::string text_zh;
    bool operator==(const LaterStart&) const = default;
};
BOOST_DESCRIBE_STRUCT(LaterStart, (), (start_at, place, terms, place_now, terms_now, text, text_zh))

struct Plan {
    std::string spec_sha256;  // of the stored, defaulted spec: what was confirmed is what runs
    Strategy strategy;        // weights, normalised
    ResourceRequest request;
    std::int64_t items = 1;
    std::vector<Candidate> candidates;  // feasible ones first, best first; then the removed ones
    bool feasible = false;
    // All items at the chosen candidate's price; absent: nobody knows how long they run.
    std::optional<Money> estimated_cost;
    std::string estimate_basis;  // "time_limit", "history of 12 runs, …", "run time not known: …"
    std::optional<Money> hold;   // what will be held of the wallet
    std::string explanation;     // winner, runner-up and what would flip it
    std::string explanation_zh;
    // Whom the round trips are to; absent: the users at large, by each site's rtt_ms.
    std::optional<std::vector<CallerShare>> callers;
    std::optional<GangPlan> gang;     // absent: one node an item
    std::optional<LaterStart> later;  // absent: the chosen candidate starts at once
    bool operator==(const Plan&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    Plan, (),
    (spec_sha256, strategy, request, items, candidates, feasible, estimated_cost, estimate_basis,
     hold, explanation, explanation_zh, callers, gang, later)
)

// Who stands before a task in the queue: named only where they are of the same organisation.
struct AheadOf {
    std::int64_t own = 0;
    std::int64_t others = 0;
    std::vector<std::string> tasks;  // of one's own, next first; at most kAheadNamedMax
    bool operator==(const AheadOf&) const = default;
};
BOOST_DESCRIBE_STRUCT(AheadOf, (), (own, others, tasks))
constexpr std::size_t kAheadNamedMax = 5;

// When a waiting task is expected to start. A bound that cannot be stated is absent: it stays
// unknown.
struct StartEstimate {
    static constexpr bool kJsonDefaults = true;
    std::optional<Time> earliest;  // one in ten starts before it
    std::optional<Time> expected;  // one in two
    std::optional<Time> latest;    // nine in ten
    std::string basis;             // what it rests on, or why it is unknown
    std::string basis_zh;
    bool operator==(const StartEstimate&) const = default;
};
BOOST_DESCRIBE_STRUCT(StartEstimate, (), (earliest, expected, latest, basis, basis_zh))

struct ChangedField {
    std::string field;  // resources.cpus
    std::string from;
    std::string to;
    bool operator==(const ChangedField&) const = default;
};
BOOST_DESCRIBE_STRUCT(ChangedField, (), (field, from, to))

// A change of the spec, or of a quota, with which the task would start now: planned with it, not
// guessed.
struct StartingChange {
    std::string field;  // resources.cpus, organisation.quota.limit.cpus
    std::string from;
    std::string to;  // "none": it is dropped
    std::string site;
    std::string node;
    std::string text;  // "with cpus: 4 instead of 8 it would start now on centre/a"
    std::string text_zh;
    // How much is given up of what was asked, 0…1, over all fields changed: by it they are sorted.
    double size = 0;
    std::optional<std::vector<ChangedField>> also;  // where no single change would do
    std::optional<bool> by_notice;  // true: others are told to leave first; absent: at once
    bool operator==(const StartingChange&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    StartingChange, (), (field, from, to, site, node, text, text_zh, size, also, by_notice)
)

// The quota that keeps a task waiting. Amounts in units of the resource: cpus, GiB, devices.
struct QuotaBlock {
    std::string level;     // organisation, project
    std::string name;      // of it
    std::string resource;  // cpus, memory_gib, devices.any, devices.H100
    double limit = 0;
    double used = 0;
    double asked = 0;
    std::string set_by;
    bool operator==(const QuotaBlock&) const = default;
};
BOOST_DESCRIBE_STRUCT(QuotaBlock, (), (level, name, resource, limit, used, asked, set_by))

// A pool that a time-shared task can take turns on.
struct SharedPool {
    std::string site;
    std::string model;
    std::int64_t devices = 0;    // that this round shares: free, or held by time-shared tasks
    std::optional<double> rate;  // of the task there; absent: unknown
    Duration received{};         // time it ran there, since times are counted
    bool granted = false;        // in this round
    bool operator==(const SharedPool&) const = default;
};
BOOST_DESCRIBE_STRUCT(SharedPool, (), (site, model, devices, rate, received, granted))

// How a time-shared task stands in its rounds.
struct TimeSharing {
    std::string policy;
    Duration round{};
    Time next_round;
    std::optional<Time> counted_since;  // absent: no round has been planned yet
    // Where its rates are from: stated (steps a second), history (runs a second) or unknown: then
    // its speed plays no part.
    std::string rates_from;
    std::vector<SharedPool> pools;
    bool operator==(const TimeSharing&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    TimeSharing, (), (policy, round, next_round, counted_since, rates_from, pools)
)

// Answer to "why does it wait?", "when will it start?" or "why there?".
struct Explanation {
    std::string task;  // task/ID
    std::string state;
    std::optional<std::int64_t> position;  // in the queue, 1 is next
    std::string blocker;  // stable word: capacity, quota, reservation, balance, dependency …
    std::string message;
    std::string message_zh;
    std::string remedy;
    std::string remedy_zh;
    Plan plan;  // as of the decision for a placed task, as of now for a waiting one
    std::optional<AheadOf> ahead;
    std::optional<StartEstimate> start;  // of a waiting task
    std::optional<QuotaBlock> quota;
    // Of a task that waits, or that nothing could take: the smallest first.
    std::optional<std::vector<StartingChange>> changes;
    std::optional<std::int64_t> changes_tried;  // plans made for them
    std::optional<bool> changes_cut;            // true: not all could be tried in the time there is
    std::optional<DecisionId> decision_id;      // of the newest recorded decision on it
    std::optional<TimeSharing> time_sharing;    // of a time-shared task
    bool operator==(const Explanation&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    Explanation, (),
    (task, state, position, blocker, message, message_zh, remedy, remedy_zh, plan, ahead, start,
     quota, changes, changes_tried, changes_cut, decision_id, time_sharing)
)

}  // namespace penstock
