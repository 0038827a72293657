// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "drivers/cgroup.h"
#include "drivers/driver.h"
#include "drivers/run_directory.h"
#include "drivers/sandbox.h"

namespace penstock::drivers {

constexpr Duration kStartTimeMax = 10s;  // for a supervisor to claim; then the outcome is unknown
constexpr Duration kStopMarginMax =
    10s;  // beyond the grace, for the KILL to be carried out and recorded
constexpr std::size_t kRunsMax = 10'000;  // of one state directory; adopt() fails beyond it

struct ProcessDriverOptions {
    std::string state_dir;  // absolute; made with mode 0700, one folder per attempt below it
    // The command that ends in supervise(): {"/usr/bin/penstock", "internal-supervise"}.
    std::vector<std::string> supervisor;
    std::string bwrap = "/usr/bin/bwrap";
    std::string setpriv = "/usr/bin/setpriv";  // of util-linux; used when the agent is root
    std::vector<BindMount> runtimes;       // seen by every attempt: a Python environment, models
    bool use_cgroups = true;               // false: rlimits only
    std::string cgroup_name = "penstock";  // the attempts' cgroups are its children
    // Root runs each attempt as a user of its own from this range, in which nobody else may live.
    std::uint32_t uid_first = 1'900'000'000;
    std::uint32_t uid_count = 1'000;
    std::int64_t log_bytes_max = std::int64_t{64} << 20;  // per attempt; then the log is truncated
    // Called between any two steps that change something, with the name of the one that was done.
    // For tests that end the process there.
    std::function<void(std::string_view)> after_step = {};
};

// The lightest engine: bubblewrap for what a process sees, cgroups for what it uses. Needs no
// daemon, no image and, with fewer limits, no root. Each run has a supervisor process of its own,
// which outlives the agent and writes how the run ended; all state is in `state_dir`.
//     auto driver = TRY(ProcessDriver::open({.state_dir = dir, .supervisor = {self,
//     "internal-supervise"}}));
// An agent that is a systemd service needs KillMode=process, or its restart ends the supervisors.
class ProcessDriver final : public Driver {
  public:
    // Runs an empty sandbox once, so that a host that cannot make one is told now and not per task,
    // and removes what an interrupted clean() left.
    static Result<std::unique_ptr<ProcessDriver>> open(ProcessDriverOptions options);

    std::vector<std::string> enforces() const override;
    Result<Prepared> prepare(const LaunchSpec& spec) override;
    Result<Status> start(const LaunchSpec& spec) override;
    Result<void> release(const std::string& attempt_id) override;
    Result<Status> status(const std::string& attempt_id) override;
    Result<Status> wait(const std::string& attempt_id, Duration at_most) override;
    Result<std::vector<Status>> adopt() override;
    Result<void> stop(const std::string& attempt_id, Duration grace) override;
    Result<Reading> meter(const std::string& attempt_id) override;
    Result<LogChunk> read_log(
        const std::string& attempt_id, std::int64_t offset, std::int64_t bytes_max
    ) override;
    Result<void> clean(const std::string& attempt_id) override;

    // The user of the host that a run's processes have; absent when the agent is not root.
    Result<std::optional<std::uint32_t>> host_uid(const std::string& attempt_id);
    // The processes of a run's sandbox that are the task's own. For tests and diagnosis.
    Result<std::vector<pid_t>> processes(const std::string& attempt_id);

  private:
    ProcessDriver(ProcessDriverOptions options, CgroupParents parents, bool is_root);
    Result<RunDirectory> find(const std::string& attempt_id) const;
    void done(std::string_view step) const;
    Result<void> probe();
    Result<void> sweep();
    Result<std::vector<std::string>> run_names() const;
    // start
    Result<void> check_limits(const LaunchSpec& spec) const;
    Result<void> supersede(const RunDirectory& run, const LaunchSpec& spec);
    Result<std::optional<std::uint32_t>> give_user(const RunDirectory& run) const;
    Result<void> write_task_files(const RunDirectory& run, const LaunchSpec& spec) const;
    Result<void> make_cgroup(const LaunchSpec& spec) const;
    Result<void> spawn_supervisor(const RunDirectory& run) const;
    // stop
    Result<void> end_tree(
        const RunDirectory& run, const std::optional<Claim>& claim, bool supervisor_too
    );
    void terminate(const Claim& claim);
    std::vector<pid_t> tree_of(const std::string& attempt_id, const Claim& claim) const;
    Result<void> remove_cgroup(const std::string& attempt_id) const;

    ProcessDriverOptions options_;
    CgroupParents parents_;
    bool is_root_;
};

// The body of `penstock internal-supervise RUN_DIR`. Not for people: it needs the files that
// ProcessDriver::start wrote. The last argument is the directory. Returns the exit status.
int supervise(int argc, char** argv);

// Opens a regular file below `directory` for reading, following no symbolic link and leaving no way
// out: what a task left in its work directory is not to be trusted. The caller closes the
// descriptor.
Result<int> open_beneath(const std::string& directory, const std::string& relative_path);

}  // namespace penstock::drivers
