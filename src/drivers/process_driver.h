// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "drivers/driver.h"

namespace penstock::drivers {

constexpr Duration kStopMarginMax = 10s;  // for the KILL to be carried out and recorded

struct ProcessDriverOptions {
    std::string state_dir;  // absolute; made with mode 0700, one folder per attempt below it
    // The command that ends in supervise(): {"/usr/bin/penstock", "internal-supervise"}.
    std::vector<std::string> supervisor;
    std::string bwrap = "/usr/bin/bwrap";
    std::string setpriv = "/usr/bin/setpriv";  // of util-linux; used when the agent is root
    std::string prlimit = "/usr/bin/prlimit";  // of util-linux; used without cgroup rights
    std::vector<BindMount> runtimes;       // seen by every attempt: a Python environment, models
    bool use_cgroups = true;               // false: rlimits only
    std::string cgroup_name = "penstock";  // the attempts' cgroups are its children
    // Root runs each attempt as a user of its own from this range, in which nobody else may live.
    std::uint32_t uid_first = 1'900'000'000;
    std::uint32_t uid_count = 1'000;
    std::int64_t log_bytes_max = std::int64_t{64} << 20;  // per attempt; then the log is truncated
};

// The lightest engine: bubblewrap for what a process sees, cgroups for what it uses. Needs no
// daemon, no image and, with fewer limits, no root. Each run has a supervisor process of its own,
// which outlives the agent and writes how the run ended; all state is in `state_dir`.
//     auto driver = TRY(ProcessDriver::open({.state_dir = dir, .supervisor = {self,
//     "internal-supervise"}}));
class ProcessDriver : public Driver {
  public:
    // Runs an empty sandbox once, so that a host that cannot make one is told now and not per task.
    static Result<std::unique_ptr<ProcessDriver>> open(ProcessDriverOptions options);

    // The host user a run's processes have; absent before start. For tests and diagnosis.
    virtual Result<std::uint32_t> host_uid(const std::string& attempt_id) = 0;
};

// The body of `penstock internal-supervise RUN_DIR`. Not for people: it needs the files that
// ProcessDriver::start wrote. Returns the exit status of the process.
int supervise(int argc, char** argv);

// Opens a regular file below `directory` for reading, following no symbolic link and leaving no way
// out: what a task left in its work directory is not to be trusted. The caller closes the
// descriptor.
Result<int> open_beneath(const std::string& directory, const std::string& relative_path);

}  // namespace penstock::drivers
