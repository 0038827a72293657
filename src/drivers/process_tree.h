// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <optional>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "drivers/files.h"

// Processes as /proc shows them.
namespace penstock::drivers {

// A process that cannot be mistaken for a later one with its number.
struct ProcessIdentity {
    pid_t pid = 0;
    std::int64_t start_ticks = 0;  // since boot
    bool operator==(const ProcessIdentity&) const = default;
};

struct ProcessStat {
    char state = '?';
    pid_t parent = 0;
    std::int64_t cpu_ticks = 0;  // of itself and of the children it has waited for
    std::int64_t start_ticks = 0;
};
// The text of /proc/PID/stat. The name may hold blanks and parentheses.
std::optional<ProcessStat> parse_process_stat(std::string_view text);
// The process' numbers in its namespaces, outermost first, of the text of /proc/PID/status.
std::vector<pid_t> parse_namespace_pids(std::string_view status);

std::optional<ProcessStat> read_process_stat(pid_t pid);
std::optional<ProcessIdentity> identify(pid_t pid);
// Runs and is not a zombie.
bool is_alive(const ProcessIdentity& process);
// A descriptor that becomes readable when the process ends; not open when it has ended already.
FileDescriptor open_process(const ProcessIdentity& process);

// The processes below `root`, itself not included, found through their parents; at one moment, so a
// process that forks meanwhile can be missed.
std::vector<pid_t> descendants(pid_t root);
// Its numbers as parse_namespace_pids() gives them, empty when it has ended.
std::vector<pid_t> namespace_pids(pid_t pid);
// Signals this very process; nothing happens when it has ended.
void send_signal(const ProcessIdentity& process, int signal);
Duration cpu_time_of(const std::vector<pid_t>& processes);
// New with every start of the host.
std::string boot_id();
// True when some process of the host has this user.
bool is_user_active(uid_t uid);

}  // namespace penstock::drivers
