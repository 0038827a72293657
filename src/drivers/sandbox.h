// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "drivers/driver.h"

// The confinement of a run as command lines of bubblewrap. Two shapes:
// - The agent is an ordinary user: one bwrap with all namespaces, the user namespace included.
// - The agent is root: an outer bwrap with root's rights binds paths that the task's user could not
//   reach, setpriv drops to that user for good, and an inner bwrap adds the user namespace. Only
//   the inner one is given the task's environment, so that LD_PRELOAD of a task never meets root.
// In both, `id -u` inside is kTaskUid, no further user namespace can be made, and descriptor
// kStartedFd is written to when the sandbox stands.
namespace penstock::drivers {

constexpr std::uint32_t kTaskUid = 1000;  // as the task sees itself
constexpr int kStartedFd = 8;
constexpr int kArgumentsFd = 9;  // NUL-separated arguments of the (inner) bwrap
constexpr std::int64_t kSandboxProcesses =
    4;  // bwrap's and the first shell; the pids limit is raised by them

struct Sandbox {
    std::string bwrap;
    std::string setpriv;
    std::string run_directory;  // see run_directory.h
    std::vector<BindMount> runtimes;
    std::optional<std::uint32_t> host_uid;  // set: the agent is root, and this is the task's user
    bool limit_by_rlimits = false;          // there are no cgroups
};

// The innermost process numbers up to this one belong to bwrap, not to the task.
constexpr int sandbox_pid_max(bool agent_is_root) { return agent_is_root ? 2 : 1; }

// Checks mounts, devices and environment; the error names the field and the remedy.
Result<void> check_launch_spec(const LaunchSpec& spec);

std::vector<std::string> sandbox_command(
    const Sandbox& sandbox, const LaunchSpec& spec, bool stop_at_error, const std::string& script
);
// What stands on kArgumentsFd.
std::vector<std::string> inner_arguments(const LaunchSpec& spec);

// Files made for the task below RUN/etc, by name.
std::map<std::string, std::string> generated_files(const LaunchSpec& spec);

}  // namespace penstock::drivers
