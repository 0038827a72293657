// SPDX-License-Identifier: Apache-2.0
#include "drivers/process_tree.h"

#include <dirent.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <charconv>
#include <map>
#include <memory>

namespace penstock::drivers {
namespace {

std::vector<std::string_view> words(std::string_view text) {
    std::vector<std::string_view> found;
    while (true) {
        const std::size_t first = text.find_first_not_of(" \t\n");
        if (first == std::string_view::npos) return found;
        text.remove_prefix(first);
        const std::size_t end = std::min(text.find_first_of(" \t\n"), text.size());
        found.push_back(text.substr(0, end));
        text.remove_prefix(end);
    }
}

template <class Number>
std::optional<Number> number(std::string_view text) {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

std::vector<pid_t> all_processes() {
    std::vector<pid_t> pids;
    const std::unique_ptr<DIR, int (*)(DIR*)> proc(::opendir("/proc"), ::closedir);
    if (proc == nullptr) return pids;
    while (const dirent* entry = ::readdir(proc.get()))
        if (const auto pid = number<pid_t>(entry->d_name)) pids.push_back(*pid);
    return pids;
}

}  // namespace

std::optional<ProcessStat> parse_process_stat(std::string_view text) {
    const std::size_t name_end = text.rfind(')');
    if (name_end == std::string_view::npos) return std::nullopt;
    // From here on: state, parent, …; field n of proc(5) is rest[n - 3].
    const std::vector<std::string_view> rest = words(text.substr(name_end + 1));
    if (rest.size() < 20 || rest[0].size() != 1) return std::nullopt;
    const auto parent = number<pid_t>(rest[1]);
    const auto start = number<std::int64_t>(rest[19]);
    if (!parent || !start) return std::nullopt;
    std::int64_t ticks = 0;
    for (std::size_t field = 11; field <= 14; ++field)
        ticks += number<std::int64_t>(rest[field]).value_or(0);
    return ProcessStat{
        .state = rest[0][0], .parent = *parent, .cpu_ticks = ticks, .start_ticks = *start
    };
}

std::vector<pid_t> parse_namespace_pids(std::string_view status) {
    std::vector<pid_t> pids;
    const std::size_t at = status.find("\nNSpid:");
    if (at == std::string_view::npos) return pids;
    const std::string_view rest = status.substr(at + 7);
    for (const std::string_view word : words(rest.substr(0, rest.find('\n'))))
        pids.push_back(number<pid_t>(word).value_or(0));
    return pids;
}

std::optional<ProcessStat> read_process_stat(pid_t pid) {
    const Result<std::string> text = read_file(fmt::format("/proc/{}/stat", pid));
    return text ? parse_process_stat(*text) : std::nullopt;
}

std::optional<ProcessIdentity> identify(pid_t pid) {
    const auto stat = read_process_stat(pid);
    if (!stat) return std::nullopt;
    return ProcessIdentity{.pid = pid, .start_ticks = stat->start_ticks};
}

bool is_alive(const ProcessIdentity& process) {
    const auto stat = read_process_stat(process.pid);
    return stat && stat->start_ticks == process.start_ticks && stat->state != 'Z' &&
           stat->state != 'X';
}

FileDescriptor open_process(const ProcessIdentity& process) {
    FileDescriptor file(static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0)));
    // Checked after opening: the number may have been given away before.
    if (!file.is_open() || !is_alive(process)) return FileDescriptor();
    return file;
}

std::vector<pid_t> descendants(pid_t root) {
    std::multimap<pid_t, pid_t> children;
    for (const pid_t pid : all_processes())
        if (const auto stat = read_process_stat(pid)) children.emplace(stat->parent, pid);
    std::vector<pid_t> found;
    std::vector<pid_t> open = {root};
    while (!open.empty()) {
        const auto [first, last] = children.equal_range(open.back());
        open.pop_back();
        for (auto child = first; child != last; ++child) {
            found.push_back(child->second);
            open.push_back(child->second);
        }
        children.erase(first, last);  // a cycle cannot be, but a reused number could make one
    }
    return found;
}

std::vector<pid_t> namespace_pids(pid_t pid) {
    const Result<std::string> text = read_file(fmt::format("/proc/{}/status", pid));
    return text ? parse_namespace_pids(*text) : std::vector<pid_t>();
}

void send_signal(const ProcessIdentity& process, int signal) {
    const FileDescriptor file = open_process(process);
    if (file.is_open()) ::syscall(SYS_pidfd_send_signal, file.get(), signal, nullptr, 0);
}

Duration cpu_time_of(const std::vector<pid_t>& processes) {
    std::int64_t ticks = 0;
    for (const pid_t pid : processes)
        if (const auto stat = read_process_stat(pid)) ticks += stat->cpu_ticks;
    return Duration(ticks * 1'000'000 / ::sysconf(_SC_CLK_TCK));
}

std::string boot_id() {
    Result<std::string> text = read_file("/proc/sys/kernel/random/boot_id");
    if (!text) return "unknown";
    while (text->ends_with('\n')) text->pop_back();
    return *text;
}

bool is_user_active(uid_t uid) {
    for (const pid_t pid : all_processes()) {
        struct stat status{};
        if (::stat(fmt::format("/proc/{}", pid).c_str(), &status) == 0 && status.st_uid == uid)
            return true;
    }
    return false;
}

}  // namespace penstock::drivers
