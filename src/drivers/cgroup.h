// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "drivers/cgroup_layout.h"
#include "drivers/driver.h"

namespace penstock::drivers {

// What one attempt's cgroup counts. Absent: no such controller.
struct CgroupCounters {
    std::optional<Duration> cpu_time;
    std::optional<Duration> throttled_time;
    std::optional<std::int64_t> memory_bytes;
    std::optional<std::int64_t> memory_peak_bytes;
    std::optional<std::int64_t> oom_kills;
    std::optional<std::int64_t> io_read_bytes;
    std::optional<std::int64_t> io_written_bytes;
    bool operator==(const CgroupCounters&) const = default;
};

// One directory of a group: a controller and where it is. Directories repeat where a hierarchy has
// several controllers.
struct CgroupDirectory {
    std::string controller;  // as in CgroupPlace
    bool v2 = false;
    std::string path;
    bool operator==(const CgroupDirectory&) const = default;
};

// The cgroup of one attempt: one directory a hierarchy. A value; the kernel has the state.
class Cgroup {
  public:
    Cgroup() = default;
    explicit Cgroup(std::vector<CgroupDirectory> directories)
        : directories_(std::move(directories)) {}

    // Makes the directories that are missing. Processes of an earlier crash must be gone.
    Result<void> create() const;
    Result<void> limit(const Limits& limits) const;
    // Files that a process writes "0" to in order to join, one a hierarchy.
    std::vector<std::string> join_files() const;
    bool has(std::string_view controller) const { return find(controller) != nullptr; }
    bool empty() const { return directories_.empty(); }
    const std::vector<CgroupDirectory>& directories() const { return directories_; }

    std::vector<pid_t> processes() const;
    // Signals every process but those in `spare`, while the group is frozen where it can be, so
    // that no child escapes by being born.
    void signal_all(int signal, const std::vector<pid_t>& spare) const;
    // KILL until nothing is left; deadline_exceeded after `at_most`.
    Result<void> kill(Duration at_most) const;
    // Removes the directories; they may be gone. Fails when a process is left.
    Result<void> remove() const;
    CgroupCounters read() const;

  private:
    const CgroupDirectory* find(std::string_view controller) const;
    std::optional<std::string> file(
        std::string_view controller, std::string_view v1, std::string_view v2
    ) const;
    void freeze(bool frozen) const;
    std::vector<std::string> paths() const;
    std::vector<CgroupDirectory> directories_;
};

// The directories under which attempts' cgroups are made, found once per agent start.
class CgroupParents {
  public:
    // Makes `name` in each hierarchy where this process may: at the top of what is mounted, else
    // below its own cgroup (delegation). A controller for which neither works is left out.
    static CgroupParents open(const CgroupLayout& layout, const std::string& name);
    // A group below the parents; not made yet.
    Cgroup group(const std::string& attempt_id) const;
    // Of "cpu", "memory", "pids": those for which a limit was set on a probe group without an
    // error.
    const std::vector<std::string>& enforces() const { return enforces_; }

  private:
    std::vector<CgroupDirectory> parents_;
    std::vector<std::string> enforces_;
};

// What the cgroups above this process leave it: the smallest limit of each kind, 0 where there is
// none. A node offers no more than that, whatever the host has.
Limits read_own_limits(const CgroupLayout& layout);

}  // namespace penstock::drivers
