// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/compute_quota.h"
#include "model/ids.h"
#include "model/outlook.h"
#include "model/plan.h"
#include "model/site.h"
#include "model/task_spec.h"

// What a decision was made from and what came of it, so that it can be made again.
namespace penstock {

// Capacity of a node that an attempt has.
struct HeldCapacity {
    AttemptId attempt_id;
    NodeId node_id;
    ResourceRequest request;
    std::vector<std::int64_t> devices;  // positions in Node::devices
    bool operator==(const HeldCapacity&) const = default;
};
BOOST_DESCRIBE_STRUCT(HeldCapacity, (), (attempt_id, node_id, request, devices))

// Everything decisions are made from, after `position` changes.
struct DecisionState {
    std::int64_t position = 0;
    std::vector<Site> sites;
    std::vector<Node> nodes;  // without what they carry or what is held, which stands below
    std::vector<HeldCapacity> holds;
    std::vector<ResourceRequest> recent;    // the newest requests placed, oldest first
    std::vector<ResourceRequest> workload;  // of them, those that fragments are weighed by now
    std::int64_t since_refresh = 0;         // requests since `workload` was taken
    std::optional<std::vector<SiteOutlook>> outlooks;  // absent: no site states one
    bool operator==(const DecisionState&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    DecisionState, (), (position, sites, nodes, holds, recent, workload, since_refresh, outlooks)
)

// One change of it; exactly one member is set.
struct DecisionInput {
    std::optional<Site> site;
    std::optional<Node> node;
    std::optional<HeldCapacity> hold;
    std::optional<AttemptId> release;
    std::optional<SiteOutlook> outlook;
    bool operator==(const DecisionInput&) const = default;
};
BOOST_DESCRIBE_STRUCT(DecisionInput, (), (site, node, hold, release, outlook))

// What was known of a task's runs when it was decided on.
struct KnownRuns {
    static constexpr bool kJsonDefaults = true;
    std::optional<Duration> run_time;
    std::string run_time_basis;
    std::map<std::string, Duration> run_time_on;  // accelerator model → expected
    std::map<std::string, std::string> run_time_basis_on;
    std::int64_t staging_bytes = 0;
    std::optional<SiteSpec> staging_source;
    std::int64_t result_bytes = 0;
    std::map<std::string, double> watts_per_device;
    std::optional<Duration> run_time_at_most;             // nine in ten end by then
    std::map<std::string, Duration> run_time_at_most_on;  // by accelerator model
    bool operator==(const KnownRuns&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    KnownRuns, (),
    (run_time, run_time_basis, run_time_on, run_time_basis_on, staging_bytes, staging_source,
     result_bytes, watts_per_device, run_time_at_most, run_time_at_most_on)
)

// What an organisation, or one of its projects, may have and has.
struct TenantStand {
    static constexpr bool kJsonDefaults = true;
    OrganisationId organisation_id;
    std::optional<ProjectId> project_id;  // absent: the organisation as a whole
    ComputeQuota quota;
    Capacity used;  // of a project
    bool operator==(const TenantStand&) const = default;
};
BOOST_DESCRIBE_STRUCT(TenantStand, (), (organisation_id, project_id, quota, used))

// Work that runs and may have to leave: attempts of one tenant that differ in nothing else.
struct LeavableWork {
    static constexpr bool kJsonDefaults = true;
    struct Run {
        AttemptId attempt_id;
        Duration unsaved{};  // running time since its last checkpoint
        bool operator==(const Run&) const = default;
    };
    OrganisationId organisation_id;
    ProjectId project_id;
    std::int64_t priority = 0;
    bool spot = false;
    bool leaves = false;              // was told to already
    std::optional<Time> quiet_until;  // it gave way before
    std::vector<Run> runs;
    bool operator==(const LeavableWork&) const = default;
};
BOOST_DESCRIBE_STRUCT(LeavableWork::Run, (), (attempt_id, unsaved))
BOOST_DESCRIBE_STRUCT(
    LeavableWork, (), (organisation_id, project_id, priority, spot, leaves, quiet_until, runs)
)

// What is promised of a node to others.
struct PromisedRoom {
    NodeId node_id;
    ResourceRequest request;
    bool operator==(const PromisedRoom&) const = default;
};
BOOST_DESCRIBE_STRUCT(PromisedRoom, (), (node_id, request))

// Whether others could leave for the task of a question, beside what that says of it.
struct ReclaimQuestion {
    static constexpr bool kJsonDefaults = true;
    OrganisationId organisation_id;
    ProjectId project_id;
    bool spot = false;
    std::vector<TenantStand> tenants;
    std::vector<LeavableWork> leavable;  // who is not among them stays
    std::vector<PromisedRoom> promised;
    bool operator==(const ReclaimQuestion&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    ReclaimQuestion, (), (organisation_id, project_id, spot, tenants, leavable, promised)
)

// By what right one asks another to leave.
//   spot: what is paid in full goes before spot work of any tenant.
//   priority: in one project the higher one goes before the lower one; spot work only before spot
//     work.
//   guarantee: a tenant takes back what it lent; not for spot work.
enum class Claim : std::uint8_t { none, spot, priority, guarantee };
BOOST_DESCRIBE_ENUM(Claim, none, spot, priority, guarantee)

// Who leaves, and where the task, or each member of its gang, has room then.
struct ReclaimAnswer {
    struct Victim {
        AttemptId attempt_id;
        Claim claim = Claim::none;
        bool operator==(const Victim&) const = default;
    };
    std::vector<PromisedRoom> places;
    std::vector<Victim> victims;
    std::string cell;  // of a gang: the kind of cell that was cleared
    bool operator==(const ReclaimAnswer&) const = default;
};
BOOST_DESCRIBE_STRUCT(ReclaimAnswer::Victim, (), (attempt_id, claim))
BOOST_DESCRIBE_STRUCT(ReclaimAnswer, (), (places, victims, cell))

// All that one decision read beside the state.
struct DecisionQuestion {
    TaskSpec spec;  // without what a decision does not read: scripts and environment
    std::string spec_sha256;
    std::int64_t items = 1;
    std::vector<NodeId> avoid;
    KnownRuns runs;
    std::optional<Money> budget_left;
    Time now;
    std::optional<std::vector<CallerShare>> callers;  // of a service, where calls come from
    std::optional<bool> at_once;                      // true: no later start, it has begun before
    std::optional<std::vector<NodeId>> leave;         // to work of its project that waits too
    std::optional<ReclaimQuestion> reclaim;           // asked instead: who leaves for it
    bool operator==(const DecisionQuestion&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    DecisionQuestion, (),
    (spec, spec_sha256, items, avoid, runs, budget_left, now, callers, at_once, leave, reclaim)
)

// The node that the policy of a pool chose.
struct PoolPick {
    SiteId site_id;
    std::string sku;
    NodeId node_id;
    std::vector<std::int64_t> devices;
    bool operator==(const PoolPick&) const = default;
};
BOOST_DESCRIBE_STRUCT(PoolPick, (), (site_id, sku, node_id, devices))

struct DecisionAnswer {
    std::vector<PoolPick> picks;
    Plan plan;
    std::vector<std::int64_t> devices;  // of the chosen candidate
    // Of a gang, instead: those of each member.
    std::optional<std::vector<std::vector<std::int64_t>>> devices_by_rank;
    std::optional<ReclaimAnswer> reclaim;  // where that was asked; absent: nobody can
    bool operator==(const DecisionAnswer&) const = default;
};
BOOST_DESCRIBE_STRUCT(DecisionAnswer, (), (picks, plan, devices, devices_by_rank, reclaim))

// preempt: it waits, and others were told to leave for it.
enum class DecisionOutcome { place, wait, refuse, preempt };
BOOST_DESCRIBE_ENUM(DecisionOutcome, place, wait, refuse, preempt)

struct Decision {
    DecisionId id;
    Time at;
    OrganisationId organisation_id;
    TaskId task_id;
    std::int64_t item = 0;
    DecisionOutcome outcome = DecisionOutcome::wait;
    std::optional<AttemptId> attempt_id;  // of a placed item
    std::int64_t position = 0;            // of the state it was made from
    std::string answer_sha256;
    bool operator==(const Decision&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    Decision, (),
    (id, at, organisation_id, task_id, item, outcome, attempt_id, position, answer_sha256)
)

// A decision as it is kept: the state stands apart, in checkpoints and inputs.
struct KeptDecision {
    Decision decision;
    DecisionQuestion question;
    DecisionAnswer answer;
    bool operator==(const KeptDecision&) const = default;
};
BOOST_DESCRIBE_STRUCT(KeptDecision, (), (decision, question, answer))

// All it takes to make a decision again.
struct DecisionRecord {
    Decision decision;
    DecisionState state;
    DecisionQuestion question;
    DecisionAnswer answer;
    bool operator==(const DecisionRecord&) const = default;
};
BOOST_DESCRIBE_STRUCT(DecisionRecord, (), (decision, state, question, answer))

}  // namespace penstock
