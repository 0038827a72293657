// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "agent/acceptance.h"
#include "agent/attempt_record.h"

// The life of one attempt, as a pure state machine. next_step() says what to do from the record
// alone, and apply() says what became of it; so an agent that died goes on by asking next_step()
// again. Every step may be repeated. Events that no longer fit the phase change nothing.
namespace penstock::agent {

// What has to be done now, and the events that it may end in.
enum class Step {
    stage,      // Staged, StageFailed
    start,      // Started, StartFailed
    await_run,  // Running, or ProcessUp for a service; Ended; GaveUp when `setup` takes too long;
                // of a gang's member Ready before, and then it waits for GoReceived
    probe,      // Running, GaveUp, Ended
    watch,      // Ended, TimeLimitReached; CheckpointStored and Metering on the way
    stop,       // Ended; with `stop->checkpoint_first` the newest checkpoint is stored before
    collect,    // Collected
    release,    // Released, once the final report is acknowledged and the log is stored
    nothing,
};
Step next_step(const AttemptRecord& record);

struct Staged {
    std::string work_dir;
};
struct StageFailed {
    std::string message;
    FaultDomain fault_domain = FaultDomain::platform;
};
// The driver has accepted it.
struct Started {
    BootInstant at;
};
struct StartFailed {
    std::string message;
    FaultDomain fault_domain = FaultDomain::provider;
};
// The process of a service exists; whether it is ready is not known yet.
struct ProcessUp {
    BootInstant at;
};
// `setup` of a gang's member is done.
struct Ready {};
// The server lets the gang run.
struct GoReceived {};
struct Running {
    BootInstant since;
    Time at;
    std::optional<std::string> service_url = {};
};
// It took too long before it was running: it is stopped, and fails with this.
struct GaveUp {
    TaskReason reason = TaskReason::not_ready;
    std::string message;
};
struct Metering {
    Metered meter;
};
struct CheckpointStored {
    Checkpoint checkpoint;
};
struct StopRequested {
    StopAttempt stop;
};
struct TimeLimitReached {};

enum class EndCause {
    exited,
    setup_failed,
    signal,
    out_of_memory,
    stopped,
    launch_failed,
    vanished
};
struct Ended {
    EndCause cause = EndCause::exited;
    std::optional<std::int64_t> exit_code;
    std::optional<std::int64_t> signal;
    std::string detail;      // the engine's own words, for a person
    std::string last_lines;  // of the log
    Metered meter;
};
struct Collected {
    std::vector<OutputFile> outputs;
    std::optional<Checkpoint> checkpoint;
    std::optional<std::string> missing;     // which required outputs are not there
    std::optional<std::string> not_stored;  // what could not be uploaded, and why
    std::optional<FailedCheck> not_accepted;
    std::vector<std::string> remarks;  // for a person; change nothing
};
struct Released {};

using Event = std::variant<
    Staged, StageFailed, Started, StartFailed, ProcessUp, Ready, GoReceived, Running, GaveUp,
    Metering, CheckpointStored, StopRequested, TimeLimitReached, Ended, Collected, Released>;

// Reports that are to be numbered and sent, in order.
using Reports = std::vector<AttemptReport>;
struct Accepted {
    AttemptRecord record;
    Reports reports;
};
// A new record with its STAGING report.
Accepted accept(const StartAttempt& start, Time now);
// For an attempt that this node will not run: it fails with `why`.
Accepted refuse(const StartAttempt& start, Verdict why, Time now);
// For an attempt that the server wants stopped and this node never had: it ends CANCELED with
// nothing metered, so that the server can settle it.
Accepted never_started(const StopAttempt& stop, Time now);

Reports apply(AttemptRecord& record, const Event& event, Time now);

// The final report of an ended record once more, for a start that came again.
AttemptReport final_report(const AttemptRecord& record);

// When the time limit ends, in CLOCK_BOOTTIME milliseconds.
std::optional<std::int64_t> time_limit_at_ms(const AttemptRecord& record);

// How long it ran until its end, of which only wall times are known. Wall clocks jump, so the
// answer is never below what was metered before or its checkpoint keeps, nor above what
// CLOCK_BOOTTIME allows. After a restart of the host, or without an end, what was metered last is
// all that is known.
std::int64_t running_ms_at_end(
    const AttemptRecord& record, std::optional<Time> ended_at, const BootInstant& now
);

// Puts a numbered report into the record's outbox. A report that only tells of a checkpoint takes
// the place of an older such one, so that an outbox stays short however long the server is away.
// Returns the number of the one replaced.
std::optional<std::int64_t> enqueue(AttemptRecord& record, AttemptReport report);
// Drops reports up to `seq`; true when something was dropped.
bool acknowledge(AttemptRecord& record, std::int64_t seq);

constexpr Duration kNodeStopGrace = 30s;  // of the node's own stops: the time limit, a newer fence
constexpr Duration kStopGraceMax = 10min;
constexpr std::size_t kReportMessageBytesMax = 4096;  // longer ones are cut

}  // namespace penstock::agent
