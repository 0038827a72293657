// SPDX-License-Identifier: Apache-2.0
// stop and clean of ProcessDriver.
#include <fmt/format.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "drivers/process_driver.h"

namespace penstock::drivers {
namespace {

constexpr Duration kPollEvery = 10ms;

// Processes of the task, not of bwrap: deeper in pid namespaces than we are, and not its first
// ones.
bool is_task_process(pid_t pid, std::size_t own_depth, bool agent_is_root) {
    const std::vector<pid_t> numbers = namespace_pids(pid);
    return numbers.size() > own_depth && numbers.back() > sandbox_pid_max(agent_is_root);
}

}  // namespace

// Everything of the run but its supervisor: what its cgroup holds and what descends from it.
std::vector<pid_t> ProcessDriver::tree_of(const std::string& attempt_id, const Claim& claim) const {
    std::vector<pid_t> pids = parents_.group(attempt_id).processes();
    if (claim.boot_id == boot_id() && is_alive(claim.supervisor)) {
        const std::vector<pid_t> more = descendants(claim.supervisor.pid);
        pids.insert(pids.end(), more.begin(), more.end());
    }
    std::ranges::sort(pids);
    pids.erase(std::unique(pids.begin(), pids.end()), pids.end());
    return pids;
}

Result<std::vector<pid_t>> ProcessDriver::processes(const std::string& attempt_id) {
    const RunDirectory run = TRY(find(attempt_id));
    const std::optional<Claim> claim = TRY(run.read_claim());
    std::vector<pid_t> own;
    if (!claim) return own;
    const std::size_t depth = namespace_pids(::getpid()).size();
    for (const pid_t pid : tree_of(attempt_id, *claim))
        if (is_task_process(pid, depth, is_root_)) own.push_back(pid);
    return own;
}

void ProcessDriver::terminate(const Claim& claim) {
    const std::size_t depth = namespace_pids(::getpid()).size();
    const Cgroup group = parents_.group(claim.attempt_id);
    const std::vector<pid_t> tree = tree_of(claim.attempt_id, claim);
    if (group.empty()) {
        for (const pid_t pid : tree)
            if (is_task_process(pid, depth, is_root_)) ::kill(pid, SIGTERM);
        return;
    }
    std::vector<pid_t> spare;
    for (const pid_t pid : tree)
        if (!is_task_process(pid, depth, is_root_)) spare.push_back(pid);
    group.signal_all(SIGTERM, spare);
}

// KILL to the whole tree. Returns when nothing of it is left, or fails.
Result<void> ProcessDriver::end_tree(
    const RunDirectory& run, const std::optional<Claim>& claim, bool supervisor_too
) {
    const SystemClock clock;
    const Duration until = clock.monotonic() + kStopMarginMax;
    const std::string attempt_id = run.path().substr(run.path().rfind('/') + 1);
    std::vector<ProcessIdentity> tree;
    if (claim)
        for (const pid_t pid : tree_of(attempt_id, *claim))
            if (const auto process = identify(pid)) tree.push_back(*process);
    if (claim && supervisor_too && claim->boot_id == boot_id())
        send_signal(claim->supervisor, SIGKILL);
    const Cgroup group = parents_.group(attempt_id);
    if (!group.empty()) TRY(group.kill(kStopMarginMax));
    while (true) {
        for (const ProcessIdentity& process : tree) send_signal(process, SIGKILL);
        std::erase_if(tree, [](const ProcessIdentity& process) { return !is_alive(process); });
        // What was born meanwhile; a dead supervisor's sandbox dies with it.
        if (claim)
            for (const pid_t pid : tree_of(attempt_id, *claim))
                if (const auto process = identify(pid); process && is_alive(*process))
                    tree.push_back(*process);
        const bool supervised =
            claim && supervisor_too && claim->boot_id == boot_id() && is_alive(claim->supervisor);
        if (tree.empty() && !supervised) return {};
        if (clock.monotonic() > until)
            return fail(
                ErrorCode::deadline_exceeded, fmt::format(
                                                  "attempt {}: {} processes survive SIGKILL; they "
                                                  "wait in the kernel (disk, driver)",
                                                  attempt_id, tree.size()
                                              )
            );
        std::this_thread::sleep_for(kPollEvery);
    }
}

Result<void> ProcessDriver::stop(const std::string& attempt_id, Duration grace) {
    const Result<RunDirectory> run = find(attempt_id);
    if (!run) return {};
    const std::optional<Claim> claim = TRY(run->read_claim());
    if (!claim) return {};
    Status now = TRY(status(attempt_id));
    if (now.state == RunState::exited) return {};
    if (!now.ended()) {
        TRY(run->mark_stopping());
        if (grace > Duration::zero()) {
            terminate(*claim);
            now = TRY(wait(attempt_id, grace));
        }
    }
    // Of a lost run the tree should be gone already; this makes sure.
    if (now.state == RunState::exited) return {};
    TRY(end_tree(*run, claim, false));
    if (!now.ended()) now = TRY(wait(attempt_id, kStopMarginMax));
    if (now.ended()) return {};
    return end_tree(*run, claim, true);
}

Result<void> ProcessDriver::remove_cgroup(const std::string& attempt_id) const {
    const Cgroup group = parents_.group(attempt_id);
    if (group.empty()) return {};
    TRY(group.kill(kStopMarginMax));
    return group.remove();
}

Result<void> ProcessDriver::clean(const std::string& attempt_id) {
    const Result<RunDirectory> run = find(attempt_id);
    // The cgroup goes before the run directory, so there is none without one.
    if (!run) return {};
    const FileLock lock = TRY(run->lock_start());
    // An unreadable claim must not keep the run from being removed: the cgroup still names its
    // tree.
    const std::optional<Claim> claim = run->read_claim().value_or(std::nullopt);
    TRY(end_tree(*run, claim, true));
    done("tree ended");
    TRY(remove_cgroup(attempt_id));
    done("cgroup removed");
    // Renamed first: a half-removed run is never taken for a run, and open() removes the rest.
    const std::string trash =
        fmt::format("{}/.removing-{}-{}", options_.state_dir, attempt_id, ::getpid());
    if (::rename(run->path().c_str(), trash.c_str()) != 0) return fail_errno(errno, run->path());
    done("run directory renamed");
    return remove_tree(trash);
}

}  // namespace penstock::drivers
