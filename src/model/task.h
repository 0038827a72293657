// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/money.h"
#include "base/time.h"
#include "model/ids.h"
#include "model/plan.h"
#include "model/task_spec.h"

namespace penstock {

enum class TaskState {
    pending,   // accepted, waiting: start time, dependency, balance, capacity
    matching,  // candidates are being chosen
    reserved,  // capacity and funds are held
    staging,   // the agent stages data and runs `setup`
    running,   // the first process started; charged from here on
    paused,
    recovering,  // after a lost node or preemption; counted
    collecting,  // outputs are hashed and uploaded
    succeeded,
    failed,
    canceling,
    canceled,
    expired,
};
BOOST_DESCRIBE_ENUM(
    TaskState, pending, matching, reserved, staging, running, paused, recovering, collecting,
    succeeded, failed, canceling, canceled, expired
)
constexpr bool json_upper_case(TaskState) { return true; }
constexpr bool is_terminal(TaskState state) {
    return state == TaskState::succeeded || state == TaskState::failed ||
           state == TaskState::canceled || state == TaskState::expired;
}

// Who answers for a failure, and so who pays: see docs/reference/billing.md.
enum class FaultDomain { user, provider, network, platform };
BOOST_DESCRIBE_ENUM(FaultDomain, user, provider, network, platform)

// Why a task is in its state. Stable: clients branch on it.
enum class TaskReason {
    none,
    waiting_for_start_time,
    waiting_for_dependency,
    waiting_for_capacity,
    waiting_for_balance,
    waiting_for_quota,        // its organisation or project holds as much as it may
    waiting_for_reservation,  // what is free is kept for work ahead of it
    no_candidate,             // no site could ever take it as stated
    dependency_failed,
    exit_code,
    killed_by_signal,
    out_of_memory,
    time_limit,
    deadline,
    budget_exceeded,
    balance_exhausted,
    canceled_by_user,
    node_lost,
    agent_error,
    setup_failed,
    staging_failed,
    not_ready,  // a service that never answered its readiness probe
    output_missing,
    acceptance_failed,
    item_failed,  // of an array
    stop_requested,
    preempted,          // gave way to other work; it comes back to the queue
    not_needed,         // a service runs with fewer replicas, or with none while nobody calls
    member_failed,      // of a gang: stopped because another member ended
    waiting_for_round,  // a time-shared task whose turn has not come, or whose device is not free
    time_shared,        // its round was over; it waits for its next turn
};
BOOST_DESCRIBE_ENUM(
    TaskReason, none, waiting_for_start_time, waiting_for_dependency, waiting_for_capacity,
    waiting_for_balance, waiting_for_quota, waiting_for_reservation, no_candidate,
    dependency_failed, exit_code, killed_by_signal, out_of_memory, time_limit, deadline,
    budget_exceeded, balance_exhausted, canceled_by_user, node_lost, agent_error, setup_failed,
    staging_failed, not_ready, output_missing, acceptance_failed, item_failed, stop_requested,
    preempted, not_needed, member_failed, waiting_for_round, time_shared
)

// Where something runs or ran.
struct Placement {
    SiteId site_id;
    std::string site;
    std::string provider;
    std::string region;
    std::string c_url;
    NodeId node_id;
    std::string node;
    bool simulated = false;
    bool operator==(const Placement&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    Placement, (), (site_id, site, provider, region, c_url, node_id, node, simulated)
)

// A file collected from a task, kept by content hash.
struct OutputFile {
    std::string path;  // relative to the work directory
    std::int64_t bytes = 0;
    std::string sha256;
    std::int64_t item = 0;
    bool operator==(const OutputFile&) const = default;
};
BOOST_DESCRIBE_STRUCT(OutputFile, (), (path, bytes, sha256, item))

// A packed checkpoint directory.
struct Checkpoint {
    std::string sha256;
    std::int64_t bytes = 0;
    Time at;
    std::int64_t running_ms = 0;  // how much of the attempt's running time it keeps
    bool operator==(const Checkpoint&) const = default;
};
BOOST_DESCRIBE_STRUCT(Checkpoint, (), (sha256, bytes, at, running_ms))

// What one meter counted while an attempt was RUNNING.
struct Metered {
    static constexpr bool kJsonDefaults = true;
    std::int64_t running_ms = 0;
    std::int64_t cpu_ms = 0;           // CPU time used; shown, not billed
    std::int64_t memory_peak_mib = 0;  // shown, not billed
    bool operator==(const Metered&) const = default;
};
BOOST_DESCRIBE_STRUCT(Metered, (), (running_ms, cpu_ms, memory_peak_mib))

// The seat of one member of a gang: equal attempts of one item, each on a node of its own, that
// start together and end together. All of them carry the same fence.
struct GangSeat {
    std::int64_t rank = 0;  // 0 is the head: its checkpoint is the gang's
    std::int64_t members = 1;
    bool ready = false;  // staged and set up; it waits for the others
    bool operator==(const GangSeat&) const = default;
};
BOOST_DESCRIBE_STRUCT(GangSeat, (), (rank, members, ready))

// An attempt is told to stop so that other work can run.
struct PreemptionNotice {
    Time at;
    Time stop_by;  // then it is killed
    TaskId for_task;
    std::int64_t for_item = 0;
    std::optional<TaskReason> reason;  // time_shared; absent: preempted
    bool operator==(const PreemptionNotice&) const = default;
};
BOOST_DESCRIBE_STRUCT(PreemptionNotice, (), (at, stop_by, for_task, for_item, reason))

// One try of one item on one node. `fence` rises with every attempt of the item: a report that
// carries an older one is refused.
struct Attempt {
    AttemptId id;
    TaskId task_id;
    std::int64_t item = 0;
    std::int64_t fence = 1;
    Placement placement;
    ResourceRequest request;
    TaskState state = TaskState::reserved;
    TaskReason reason = TaskReason::none;
    std::string message;
    std::optional<FaultDomain> fault_domain;
    std::optional<std::int64_t> exit_code;
    Time created_at;
    std::optional<Time> running_at;
    std::optional<Time> ended_at;
    std::optional<Checkpoint> restored_from;
    std::optional<Checkpoint> checkpoint;  // the newest one this attempt stored
    std::optional<Metered> agent_meter;
    std::optional<Metered> platform_meter;
    Money held;
    Money cost;
    std::optional<std::string> service_url;  // of a ready service replica
    std::vector<Candidate> decision;         // the candidates as they were when it was placed
    std::optional<DecisionId> decision_id;   // the record of it, while that is kept
    // Which accelerators of the node it has: positions in Node::devices.
    std::optional<std::vector<std::int64_t>> devices;
    std::optional<PreemptionNotice> notice;
    std::optional<std::int64_t> price_percent;  // of the site's list; absent: 100
    std::optional<GangSeat> gang;               // absent: it runs alone
    bool operator==(const Attempt&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    Attempt, (),
    (id, task_id, item, fence, placement, request, state, reason, message, fault_domain, exit_code,
     created_at, running_at, ended_at, restored_from, checkpoint, agent_meter, platform_meter, held,
     cost, service_url, decision, decision_id, devices, notice, price_percent, gang)
)

// A task without an array has one item; a service has one per replica.
struct TaskItem {
    std::int64_t index = 0;
    TaskState state = TaskState::pending;
    TaskReason reason = TaskReason::none;
    std::int64_t attempts = 0;
    std::int64_t failures = 0;    // of the task's own making
    std::int64_t recoveries = 0;  // from lost nodes
    std::vector<std::map<std::string, std::string>> points;
    std::optional<AttemptId> attempt_id;  // the newest; of a gang its head's
    std::optional<Checkpoint> checkpoint;
    std::optional<Time> retry_at;             // not placed again before
    std::optional<std::int64_t> preemptions;  // how often it gave way; absent: never
    std::optional<Time> leaves_at;            // a replica that gets no calls any more: its stop
    bool operator==(const TaskItem&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    TaskItem, (),
    (index, state, reason, attempts, failures, recoveries, points, attempt_id, checkpoint, retry_at,
     preemptions, leaves_at)
)

struct ItemCounts {
    std::int64_t total = 0;
    std::int64_t waiting = 0;
    std::int64_t active = 0;
    std::int64_t succeeded = 0;
    std::int64_t failed = 0;
    bool operator==(const ItemCounts&) const = default;
};
BOOST_DESCRIBE_STRUCT(ItemCounts, (), (total, waiting, active, succeeded, failed))

// Why a service last changed the number of its replicas.
struct ScaleNote {
    Time at;
    std::int64_t from = 0;
    std::int64_t to = 0;
    std::string
        reason;  // first_call, tokens, calls, in_flight, first_token, speed, idle, shrunk, limits
    std::string message;
    std::string message_zh;
    bool operator==(const ScaleNote&) const = default;
};
BOOST_DESCRIBE_STRUCT(ScaleNote, (), (at, from, to, reason, message, message_zh))

// A task that was submitted as one part of a composite.
struct CompositePart {
    std::string composite;  // name of the document
    std::string part;
    bool operator==(const CompositePart&) const = default;
};
BOOST_DESCRIBE_STRUCT(CompositePart, (), (composite, part))

// How a task's service is reached.
struct ServiceView {
    ServiceId id;
    std::string c_url;
    std::string protocol;
    std::string model;
    std::int64_t replicas_ready = 0;
    std::int64_t replicas_wanted = 1;
    std::vector<std::string> instances;  // C-URLs of ready instances
    std::optional<ScaleNote> scaled;     // of an elastic service that has changed
    bool operator==(const ServiceView&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    ServiceView, (),
    (id, c_url, protocol, model, replicas_ready, replicas_wanted, instances, scaled)
)

struct Task {
    TaskId id;
    OrganisationId organisation_id;
    ProjectId project_id;
    std::string name;
    TaskKind kind = TaskKind::Task;
    TaskState state = TaskState::pending;
    TaskReason reason = TaskReason::none;
    std::string message;
    std::string message_zh;
    std::optional<FaultDomain> fault_domain;
    TaskSpec spec;
    std::string spec_sha256;
    std::string submitted_by;  // user or key
    Time created_at;
    Time updated_at;
    std::optional<Time> started_at;  // first RUNNING
    std::optional<Time> ended_at;
    std::optional<std::int64_t> exit_code;
    std::optional<Placement> placement;  // of the newest attempt
    std::int64_t recoveries = 0;
    ItemCounts items;
    Money held;
    Money cost;
    std::int64_t budget_alerts = 0;  // how many of budget.alert_at were passed
    bool simulated = false;
    std::optional<ServiceView> service;
    std::vector<OutputFile> outputs;
    std::optional<Plan> plan;  // of the newest decision
    std::optional<std::int64_t> preemptions;
    std::string etag;
    std::optional<CompositePart> composite;
    bool operator==(const Task&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    Task, (),
    (id, organisation_id, project_id, name, kind, state, reason, message, message_zh, fault_domain,
     spec, spec_sha256, submitted_by, created_at, updated_at, started_at, ended_at, exit_code,
     placement, recoveries, items, held, cost, budget_alerts, simulated, service, outputs, plan,
     preemptions, etag, composite)
)

// One entry of a timeline. `cursor` rises over the whole platform; it is the resume point of a
// watch.
struct Event {
    std::int64_t cursor = 0;
    Time at;
    std::string subject;  // "task/tk_…", "node/nd_…", "endpoint/ep_…"
    std::string type;     // "state_changed", "attempt_placed", "log_gap" …
    OrganisationId organisation_id;
    std::string actor;  // "user/…", "key/…", "agent/…", "platform"
    std::string state;
    std::string reason;
    std::string message;
    std::optional<Money> cost;
    std::optional<AttemptId> attempt_id;
    bool operator==(const Event&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    Event, (),
    (cursor, at, subject, type, organisation_id, actor, state, reason, message, cost, attempt_id)
)

enum class LogStream { stdout_, stderr_, system };
BOOST_DESCRIBE_ENUM(LogStream, stdout_, stderr_, system)

struct LogLine {
    std::int64_t cursor = 0;  // within the task
    Time at;
    std::int64_t item = 0;
    std::int64_t attempt = 1;  // the fence
    LogStream stream = LogStream::stdout_;
    std::string text;
    std::optional<std::int64_t> rank;  // of a gang's member
    bool operator==(const LogLine&) const = default;
};
BOOST_DESCRIBE_STRUCT(LogLine, (), (cursor, at, item, attempt, stream, text, rank))

}  // namespace penstock
