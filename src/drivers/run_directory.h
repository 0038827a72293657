// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "drivers/cgroup.h"
#include "drivers/driver.h"
#include "drivers/process_tree.h"

// What a run leaves on disk, so that agent and supervisor can each die and be replaced. One folder
// a run, mode 0700:
//     fence         the newest fence known; whoever has an older one may neither claim nor report
//     uid           the user given to the run (root agents only)
//     launch.json   what the supervisor is to do; holds the task's environment, so mode 0600
//     claim.json    made exclusively by the supervisor: the run exists from here on
//     progress.json rewritten when `script` begins
//     stop          a mark: stop() was called
//     held          a mark: `setup` is done and `script` waits
//     go            a mark: release() was called
//     exit.json     how it ended; the last thing a supervisor writes
//     log           see run_log.h
//     etc/ tmp/ work/ script.sh setup.sh   what the task sees
//     start.lock claim.lock                flock(2) files
namespace penstock::drivers {

struct LaunchStep {
    std::string name;               // "setup", "script"
    std::vector<std::string> argv;  // the sandbox, down to the shell
};

struct Launch {
    std::string attempt_id;
    std::int64_t fence = 0;
    std::vector<LaunchStep> steps;
    std::vector<std::string>
        inner_arguments;  // for bwrap --args: the environment, kept off command lines
    std::vector<CgroupDirectory> cgroup;
    std::int64_t log_bytes_max = 0;
    std::optional<bool> hold;  // before the last step; absent in files of earlier versions
};

struct Claim {
    std::string attempt_id;
    std::int64_t fence = 0;
    std::string epoch;
    std::string boot_id;
    ProcessIdentity supervisor;
    Time at;
};

struct Progress {
    Time running_at;
};

// The counters that a run ended with, and how it ended.
struct ExitRecord {
    std::int64_t fence = 0;
    Cause cause = Cause::none;
    std::optional<int> exit_code;
    std::optional<int> signal;
    bool out_of_memory = false;
    std::string reason;
    std::optional<Time> running_at;
    Time ended_at;
    std::int64_t cpu_us = 0;
    std::optional<std::int64_t> throttled_us;
    std::optional<std::int64_t> memory_peak_bytes;
    std::optional<std::int64_t> io_read_bytes;
    std::optional<std::int64_t> io_written_bytes;
    bool estimated = false;
};

class RunDirectory {
  public:
    explicit RunDirectory(std::string path) : path_(std::move(path)) {}
    const std::string& path() const { return path_; }
    std::string file(std::string_view name) const { return path_ + "/" + std::string(name); }
    std::string work() const { return file("work"); }
    bool exists() const;

    // Serialises prepare, start and clean of one attempt.
    Result<FileLock> lock_start() const { return FileLock::take(file("start.lock")); }
    // Held for a moment: whoever reads or raises the fence, claims or reports.
    Result<FileLock> lock_claim() const { return FileLock::take(file("claim.lock")); }

    Result<std::int64_t> fence() const;  // 0 when none was written
    Result<void> write_fence(std::int64_t fence) const;

    Result<Launch> read_launch() const;
    Result<void> write_launch(const Launch& launch) const;
    Result<std::optional<Claim>> read_claim() const;
    // conflict: somebody else has claimed, or a newer fence is known.
    Result<void> write_claim(const Claim& claim) const;
    Result<std::optional<Progress>> read_progress() const;
    Result<void> write_progress(const Progress& progress) const;
    Result<std::optional<ExitRecord>> read_exit() const;
    // conflict: a newer fence is known, and nothing was written.
    Result<void> write_exit(const ExitRecord& record) const;

    bool is_stopping() const { return drivers::exists(file("stop")); }
    Result<void> mark_stopping() const { return write_file(file("stop"), "stop\n", 0600); }

    bool is_held() const { return drivers::exists(file("held")); }
    Result<void> mark_held() const { return write_file(file("held"), "held\n", 0600); }
    bool is_released() const { return drivers::exists(file("go")); }
    Result<void> mark_released() const { return write_file(file("go"), "go\n", 0600); }

    // Removes what an earlier fence left, work directory included. Its processes are gone.
    Result<void> reset() const;

  private:
    std::string path_;
};

}  // namespace penstock::drivers
