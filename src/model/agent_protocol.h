// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "model/ids.h"
#include "model/site.h"
#include "model/task.h"

// What agent and server say over the WebSocket GET /v1/agent/session, as JSON text frames. The
// agent dials out. Its reports carry a sequence number and are repeated after a reconnect until the
// server has acknowledged them, which it does only when they are durable.
namespace penstock {

constexpr std::int64_t kAgentProtocolVersion = 1;
constexpr Duration kHeartbeatEvery = 2s;
constexpr Duration kNodeLostAfter = 10s;  // without a heartbeat: unreachable, its work recovers

struct RunningAttempt {
    AttemptId id;
    std::int64_t fence = 1;
    bool operator==(const RunningAttempt&) const = default;
};
BOOST_DESCRIBE_STRUCT(RunningAttempt, (), (id, fence))

// The first frame of a session.
struct AgentHello {
    std::int64_t protocol = kAgentProtocolVersion;
    std::string node;     // the node's name, unique in its site
    std::string boot_id;  // new with every start of the agent
    std::string version;
    std::string address;  // where its services can be reached
    std::string cpu_model;
    Capacity total;
    std::vector<Device> devices;
    std::vector<std::string> enforces;
    std::map<std::string, std::string> labels;
    bool simulated = false;
    Health health = Health::ok;
    std::string health_reason;
    std::vector<RunningAttempt> attempts;  // found on the node, adopted ones included
    bool operator==(const AgentHello&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    AgentHello, (),
    (protocol, node, boot_id, version, address, cpu_model, total, devices, enforces, labels,
     simulated, health, health_reason, attempts)
)

struct AgentHeartbeat {
    NodeLoad load;
    Health health = Health::ok;
    std::string health_reason;
    std::vector<RunningAttempt> attempts;  // RUNNING now: the platform's meter stands on it
    bool operator==(const AgentHeartbeat&) const = default;
};
BOOST_DESCRIBE_STRUCT(AgentHeartbeat, (), (load, health, health_reason, attempts))

// A change of one attempt. `state` is one of STAGING, RUNNING, COLLECTING, SUCCEEDED, FAILED,
// CANCELED; the last three end the attempt and carry the meter.
struct AttemptReport {
    std::int64_t seq = 0;  // rises per node, survives restarts of the agent
    AttemptId attempt_id;
    std::int64_t fence = 1;
    TaskState state = TaskState::staging;
    TaskReason reason = TaskReason::none;
    std::string message;
    std::optional<FaultDomain> fault_domain;
    std::optional<std::int64_t> exit_code;
    Time at;
    std::optional<Metered> meter;
    std::optional<std::string> service_url;  // when a service became ready
    std::vector<OutputFile> outputs;         // already uploaded
    std::optional<Checkpoint> checkpoint;    // already uploaded
    std::optional<bool> ready;               // of a gang's member: set up, waits for `go`
    bool operator==(const AttemptReport&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    AttemptReport, (),
    (seq, attempt_id, fence, state, reason, message, fault_domain, exit_code, at, meter,
     service_url, outputs, checkpoint, ready)
)

// Lines of an attempt's log. `offset` counts lines of the attempt, so that a repeat is seen.
struct LogBatch {
    AttemptId attempt_id;
    std::int64_t fence = 1;
    std::int64_t offset = 0;
    std::vector<LogLine> lines;
    bool operator==(const LogBatch&) const = default;
};
BOOST_DESCRIBE_STRUCT(LogBatch, (), (attempt_id, fence, offset, lines))

// Exactly one member is set.
struct AgentMessage {
    std::optional<AgentHello> hello;
    std::optional<AgentHeartbeat> heartbeat;
    std::optional<AttemptReport> report;
    std::optional<LogBatch> logs;
    bool operator==(const AgentMessage&) const = default;
};
BOOST_DESCRIBE_STRUCT(AgentMessage, (), (hello, heartbeat, report, logs))

struct ServerWelcome {
    NodeId node_id;
    SiteId site_id;
    std::string site;
    Duration heartbeat_every{};
    std::int64_t acknowledged_seq = 0;  // reports up to here are durable
    bool operator==(const ServerWelcome&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    ServerWelcome, (), (node_id, site_id, site, heartbeat_every, acknowledged_seq)
)

// A file that another task left, to be put below the work directory before `setup`.
struct StagedInput {
    std::string path;  // below the work directory
    std::string sha256;
    std::int64_t bytes = 0;
    bool operator==(const StagedInput&) const = default;
};
BOOST_DESCRIBE_STRUCT(StagedInput, (), (path, sha256, bytes))

// Everything an agent needs to run an attempt. Files are fetched by content hash from
// GET /v1/blobs/{sha256} and stored by PUT to the same address.
struct StartAttempt {
    AttemptId attempt_id;
    TaskId task_id;
    std::int64_t fence = 1;
    std::string name;
    ResourceRequest request;
    std::optional<std::string> setup;
    std::string run;
    std::map<std::string, std::string> environment;
    std::optional<std::string> workdir_sha256;
    std::vector<OutputSpec> outputs;
    std::optional<CheckpointSpec> checkpoint;
    std::optional<Checkpoint> restore;
    std::optional<ServiceSpec> service;
    std::optional<Duration> time_limit;
    std::optional<AcceptanceSpec> acceptance;
    std::int64_t item = 0;
    std::optional<std::vector<std::int64_t>> devices;  // which of the node's, by position
    std::optional<GangSeat> gang;  // `run` begins when the server says go, after `setup`
    std::optional<std::vector<StagedInput>> inputs;
    bool operator==(const StartAttempt&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    StartAttempt, (),
    (attempt_id, task_id, fence, name, request, setup, run, environment, workdir_sha256, outputs,
     checkpoint, restore, service, time_limit, acceptance, item, devices, gang, inputs)
)

struct StopAttempt {
    AttemptId attempt_id;
    std::int64_t fence = 1;  // attempts up to this fence
    TaskReason reason = TaskReason::stop_requested;
    Duration grace{};
    bool checkpoint_first = false;
    bool operator==(const StopAttempt&) const = default;
};
BOOST_DESCRIBE_STRUCT(StopAttempt, (), (attempt_id, fence, reason, grace, checkpoint_first))

// All members of the gang are ready: `run` begins. Saying it twice changes nothing.
struct GoAttempt {
    AttemptId attempt_id;
    std::int64_t fence = 1;
    bool operator==(const GoAttempt&) const = default;
};
BOOST_DESCRIBE_STRUCT(GoAttempt, (), (attempt_id, fence))

struct ReportAck {
    std::int64_t seq = 0;  // everything up to it is durable
    bool operator==(const ReportAck&) const = default;
};
BOOST_DESCRIBE_STRUCT(ReportAck, (), (seq))

struct LogAck {
    AttemptId attempt_id;
    std::int64_t offset = 0;  // lines below it are stored
    bool operator==(const LogAck&) const = default;
};
BOOST_DESCRIBE_STRUCT(LogAck, (), (attempt_id, offset))

struct ServerMessage {
    std::optional<ServerWelcome> welcome;
    std::optional<StartAttempt> start;
    std::optional<StopAttempt> stop;
    std::optional<ReportAck> ack;
    std::optional<LogAck> log_ack;
    std::optional<GoAttempt> go;
    bool operator==(const ServerMessage&) const = default;
};
BOOST_DESCRIBE_STRUCT(ServerMessage, (), (welcome, start, stop, ack, log_ack, go))

}  // namespace penstock
