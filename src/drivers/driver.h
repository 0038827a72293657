// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace penstock::drivers {

// 0 = not limited.
struct Limits {
    std::int64_t cpu_milli = 0;  // thousandths of a CPU
    std::int64_t memory_bytes = 0;
    std::int64_t pids = 0;
    bool operator==(const Limits&) const = default;
};

struct BindMount {
    std::string
        source;  // absolute, on the host; a folder of the work directory becomes a link to it
    std::string target;  // absolute, inside; empty: the same path
    bool writable = false;
    bool operator==(const BindMount&) const = default;
};

// Everything an engine needs to run one attempt. The work directory is the driver's: see prepare().
struct LaunchSpec {
    std::string attempt_id;  // [a-z0-9_-], at most kAttemptIdBytesMax; names the run on the engine
    std::int64_t fence = 1;  // rises with every try; an older one can neither start nor report
    std::string setup;       // bash, stops at the first error; empty: none. Runs before `script`
    std::string script;      // bash
    // The whole environment beside PATH, HOME=/work, LANG, OMP_NUM_THREADS and OMP_WAIT_POLICY,
    // which are set unless they are given here.
    std::map<std::string, std::string> environment;
    Limits limits;
    bool demand_enforcement = true;  // false: a limit that the engine cannot keep is only recorded
    bool share_network = false;      // false: a private network with only a loopback interface
    std::vector<BindMount> mounts;   // beside the driver's own runtime paths
    std::vector<std::string> devices;  // device nodes of the host: "/dev/nvidia0"
    bool hold = false;  // `script` begins only after release(), which may come at any time
    bool operator==(const LaunchSpec&) const = default;
};
constexpr std::size_t kAttemptIdBytesMax = 64;
constexpr std::size_t kScriptBytesMax = std::size_t{1} << 20;
constexpr std::size_t kEnvironmentBytesMax = std::size_t{1} << 20;

enum class RunState {
    prepared,  // work directory made, nothing started
    starting,  // claimed; `setup` runs
    running,   // `script` runs
    exited,    // for good; the log is complete
    lost,      // it vanished and left no exit record
    unknown,   // the engine cannot be asked now; not a failure
};
std::string_view name(RunState state);

// Why a run ended. Whose fault that is follows: the first five the user's, the rest not.
enum class Cause {
    none,           // it did not end
    exited,         // `script` came to its end, exit code in `exit_code`
    setup_failed,   // `setup` did not end with 0
    signal,         // of its own, or sent by somebody else than the driver
    out_of_memory,  // the engine counted an OOM kill in this attempt, and it did not end with 0
    stopped,        // stop() was called before it ended
    launch_failed,  // the sandbox could not be made: `reason` says why
    vanished,       // supervisor gone, host restarted
};
std::string_view name(Cause cause);

struct Status {
    std::string attempt_id;
    std::int64_t fence = 0;
    RunState state = RunState::unknown;
    Cause cause = Cause::none;
    std::optional<int> exit_code;  // as a shell gives it: 128 + signal when killed by one
    std::optional<int> signal;
    bool out_of_memory = false;  // an OOM kill was counted, whatever the exit code
    std::string reason;          // for a person
    bool held = false;           // `setup` is done, `script` waits for release()
    std::optional<Time> starting_at;
    std::optional<Time> running_at;
    std::optional<Time> ended_at;
    bool operator==(const Status&) const = default;
    bool ended() const { return state == RunState::exited || state == RunState::lost; }
};

// Cumulative counters of one epoch. An epoch ends with the engine or the run; counters of two
// epochs are added, never compared. What the engine does not count is absent, not zero.
struct Reading {
    std::string epoch;
    Time first;  // the run was claimed
    Time last;   // the counters were read
    Duration cpu_time{};
    std::optional<Duration> throttled_time;
    std::optional<std::int64_t> memory_peak_bytes;
    std::optional<std::int64_t> io_read_bytes;
    std::optional<std::int64_t> io_written_bytes;
    bool estimated = false;  // from the process tree, without an engine's counters
    bool operator==(const Reading&) const = default;
};

struct Prepared {
    // On the host. Stage inputs here before start(), as copies: a hard link would give the task's
    // user the file it links to. Collect outputs from here, with open_beneath() or its like.
    std::string work_dir;
    bool operator==(const Prepared&) const = default;
};

struct LogLine {
    Time at;
    std::string stream;    // stdout, stderr, or system for the driver's own remarks
    std::string text;      // valid UTF-8, without the line end
    bool partial = false;  // the line goes on in the next entry of the stream
    bool operator==(const LogLine&) const = default;
};
struct LogChunk {
    std::vector<LogLine> lines;
    std::int64_t next_offset = 0;  // bytes; give it to the next read
    bool complete = false;         // the run ended and there is nothing after next_offset
};

// Turns an attempt of a task into something that runs on an engine. Every call is synchronous and
// may block (stop and wait for as long as they are told): call it from a thread pool. Any thread
// may call any method. Truth is on the engine: a second Driver over the same state sees the same
// runs.
class Driver {
  public:
    virtual ~Driver() = default;

    // Limits this engine keeps: "cpu", "memory", "pids", "network", "filesystem", "devices";
    // weaker forms under weaker names ("memory.per_process").
    virtual std::vector<std::string> enforces() const = 0;

    // Checks the spec and makes the work directory. Idempotent. conflict: a newer fence is known.
    // A newer fence than that of an earlier run stops and clears the earlier run.
    virtual Result<Prepared> prepare(const LaunchSpec& spec) = 0;

    // Starts what was prepared, and returns when it is claimed. A second start of the same attempt
    // and fence finds the first, whatever its state.
    virtual Result<Status> start(const LaunchSpec& spec) = 0;

    // Lets a held run go on; of one that is not held or has ended: nothing happens.
    virtual Result<void> release(const std::string& attempt_id) = 0;

    // not_found: nothing of this attempt is here.
    virtual Result<Status> status(const std::string& attempt_id) = 0;

    // Returns when the run ended or after `at_most`, whichever is first.
    virtual Result<Status> wait(const std::string& attempt_id, Duration at_most) = 0;

    // Everything of this driver on the engine, after a restart of the agent too.
    virtual Result<std::vector<Status>> adopt() = 0;

    // TERM to the whole tree, KILL to what is left after `grace` (0: at once). Returns when nothing
    // is left. Stopping what ended or is gone succeeds.
    virtual Result<void> stop(const std::string& attempt_id, Duration grace) = 0;

    // Of a run that ended: the last reading.
    virtual Result<Reading> meter(const std::string& attempt_id) = 0;

    // Lines from byte `offset` on, about `bytes_max` bytes of them.
    virtual Result<LogChunk> read_log(
        const std::string& attempt_id, std::int64_t offset, std::int64_t bytes_max
    ) = 0;

    // Removes everything of the attempt; what still runs is killed. Cleaning what is gone succeeds.
    virtual Result<void> clean(const std::string& attempt_id) = 0;
};

}  // namespace penstock::drivers
