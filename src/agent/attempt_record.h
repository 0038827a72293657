// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <optional>
#include <string>
#include <vector>

#include "model/agent_protocol.h"

namespace penstock::agent {

enum class AttemptPhase {
    staging,     // inputs are fetched and unpacked
    starting,    // the driver has been asked to start; `setup` may run
    probing,     // a service's process runs and is not ready yet; not metered
    running,     // metered
    collecting,  // nothing runs any more; outputs and the checkpoint are stored
    ended,       // the final report is made; it and the log wait for the server
    released,    // nothing is left on the node but this record, which answers repeats
};
BOOST_DESCRIBE_ENUM(AttemptPhase, staging, starting, probing, running, collecting, ended, released)

// How the process ended and what that means.
struct Verdict {
    TaskState state = TaskState::succeeded;
    TaskReason reason = TaskReason::none;
    std::optional<FaultDomain> fault_domain;
    std::optional<std::int64_t> exit_code;
    std::string message;
    bool operator==(const Verdict&) const = default;
};
BOOST_DESCRIBE_STRUCT(Verdict, (), (state, reason, fault_domain, exit_code, message))

// A reading of CLOCK_BOOTTIME, which is comparable within one start of the host only.
struct BootInstant {
    std::string boot_id;
    std::int64_t ms = 0;
    bool operator==(const BootInstant&) const = default;
};
BOOST_DESCRIBE_STRUCT(BootInstant, (), (boot_id, ms))

// How far the server has stored an attempt's log: whole lines, and where the next one starts.
struct LogPosition {
    std::int64_t line = 0;
    std::int64_t byte = 0;
    bool operator==(const LogPosition&) const = default;
};
BOOST_DESCRIBE_STRUCT(LogPosition, (), (line, byte))

// Everything the agent knows of one attempt: one small file, replaced as a whole at every change,
// so that a kill -9 leaves either the state before or the state after. The reports that the server
// has not acknowledged are part of it: a change and its report cannot be separated.
struct AttemptRecord {
    static constexpr bool kJsonDefaults = true;
    AttemptId attempt_id;
    std::int64_t fence = 1;
    std::optional<StartAttempt> start;  // absent: asked to stop what was never started here
    AttemptPhase phase = AttemptPhase::staging;
    Time created_at;
    std::string work_dir;                   // on this host, from the driver
    std::optional<BootInstant> asked;       // the driver was first asked to start it after this
    std::optional<BootInstant> started;     // the driver accepted it
    bool ready = false;                     // of a gang's member: `setup` is done, it was reported
    bool go = false;                        // of a gang's member: the server let it run
    std::optional<BootInstant> process_up;  // of a service: its readiness is probed since
    std::optional<Time> running_at;
    std::optional<BootInstant> running_since;  // the meter's zero
    Metered meter;
    std::optional<StopAttempt> stop;
    std::optional<Verdict> verdict;
    std::vector<std::int64_t> devices;  // indices held while it is not ended
    std::optional<std::int64_t> port;   // of a service, on the loopback interface
    std::vector<OutputFile> outputs;
    std::optional<Checkpoint> checkpoint;  // the newest stored one
    bool checkpoint_reported = false;
    LogPosition log;
    std::optional<Time> ended_at;
    std::vector<AttemptReport> reports;
    bool operator==(const AttemptRecord&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    AttemptRecord, (),
    (attempt_id, fence, start, phase, created_at, work_dir, asked, started, ready, go, process_up,
     running_at, running_since, meter, stop, verdict, devices, port, outputs, checkpoint,
     checkpoint_reported, log, ended_at, reports)
)

// Of a gang, the head's checkpoint is the only one.
inline bool stores_checkpoints(const StartAttempt& start) {
    return start.checkpoint && (!start.gang || start.gang->rank == 0);
}

}  // namespace penstock::agent
