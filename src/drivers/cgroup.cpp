// SPDX-License-Identifier: Apache-2.0
#include "drivers/cgroup.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <thread>

#include "drivers/files.h"

namespace penstock::drivers {
namespace {

constexpr std::int64_t kCpuPeriodUs = 100'000;
constexpr std::int64_t kCpuQuotaUsMin = 1'000;  // the kernel takes no less
constexpr Duration kPollEvery = 5ms;
constexpr Duration kFreezeMax = 500ms;  // then signals go out to a group that still runs
constexpr int kRemoveTriesMax = 200;    // EBUSY for a moment after the last process was reaped

std::optional<std::int64_t> number(std::string_view text) {
    while (text.ends_with('\n')) text.remove_suffix(1);
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

std::optional<std::int64_t> read_number(const std::optional<std::string>& path) {
    if (!path) return std::nullopt;
    const Result<std::string> text = read_file(*path);
    return text ? number(*text) : std::nullopt;
}

// The number after `key` and a blank at the start of a line: "oom_kill 2".
std::optional<std::int64_t> read_keyed(
    const std::optional<std::string>& path, std::string_view key
) {
    if (!path) return std::nullopt;
    const Result<std::string> text = read_file(*path);
    if (!text) return std::nullopt;
    std::string_view rest = *text;
    while (!rest.empty()) {
        const std::size_t end = std::min(rest.find('\n'), rest.size());
        const std::string_view line = rest.substr(0, end);
        if (line.starts_with(key) && line.size() > key.size() && line[key.size()] == ' ')
            return number(line.substr(key.size() + 1));
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return std::nullopt;
}

// The sum of all "WORD=number" of io.stat or "Read number" of blkio, over the devices.
std::optional<std::int64_t> read_io(const std::optional<std::string>& path, std::string_view word) {
    if (!path) return std::nullopt;
    const Result<std::string> text = read_file(*path);
    if (!text) return std::nullopt;
    std::int64_t sum = 0;
    for (std::size_t at = text->find(word); at != std::string::npos;
         at = text->find(word, at + 1)) {
        const std::size_t first = at + word.size();
        const std::size_t end =
            std::min(text->find_first_not_of("0123456789", first), text->size());
        sum += number(std::string_view(*text).substr(first, end - first)).value_or(0);
    }
    return sum;
}

std::optional<Duration> scaled(std::optional<std::int64_t> count, std::int64_t per_us) {
    if (!count) return std::nullopt;
    return Duration(*count / per_us);
}

void pause() { std::this_thread::sleep_for(kPollEvery); }

}  // namespace

const CgroupDirectory* Cgroup::find(std::string_view controller) const {
    const auto found = std::ranges::find(directories_, controller, &CgroupDirectory::controller);
    return found == directories_.end() ? nullptr : &*found;
}

std::optional<std::string> Cgroup::file(
    std::string_view controller, std::string_view v1, std::string_view v2
) const {
    const CgroupDirectory* directory = find(controller);
    if (directory == nullptr) return std::nullopt;
    const std::string_view name = directory->v2 ? v2 : v1;
    if (name.empty()) return std::nullopt;
    return fmt::format("{}/{}", directory->path, name);
}

std::vector<std::string> Cgroup::paths() const {
    std::set<std::string> paths;
    for (const CgroupDirectory& directory : directories_) paths.insert(directory.path);
    return {paths.begin(), paths.end()};
}

Result<void> Cgroup::create() const {
    for (const std::string& path : paths()) TRY(make_directory(path, 0755));
    return {};
}

Result<void> Cgroup::limit(const Limits& limits) const {
    if (limits.cpu_milli > 0 && has("cpu")) {
        const std::int64_t quota = std::max(limits.cpu_milli * kCpuPeriodUs / 1000, kCpuQuotaUsMin);
        const CgroupDirectory& cpu = *find("cpu");
        if (cpu.v2) {
            TRY(write_control(cpu.path + "/cpu.max", fmt::format("{} {}", quota, kCpuPeriodUs)));
        } else {
            TRY(write_control(cpu.path + "/cpu.cfs_period_us", fmt::format("{}", kCpuPeriodUs)));
            TRY(write_control(cpu.path + "/cpu.cfs_quota_us", fmt::format("{}", quota)));
        }
    }
    if (limits.memory_bytes > 0 && has("memory")) {
        const CgroupDirectory& memory = *find("memory");
        const std::string bytes = fmt::format("{}", limits.memory_bytes);
        if (memory.v2) {
            TRY(write_control(memory.path + "/memory.max", bytes));
            // Without swap the limit is the one that was asked for. Absent where there is none.
            if (exists(memory.path + "/memory.swap.max"))
                TRY(write_control(memory.path + "/memory.swap.max", "0"));
        } else {
            TRY(write_control(memory.path + "/memory.limit_in_bytes", bytes));
            if (exists(memory.path + "/memory.memsw.limit_in_bytes"))
                TRY(write_control(memory.path + "/memory.memsw.limit_in_bytes", bytes));
        }
    }
    if (limits.pids > 0 && has("pids"))
        TRY(write_control(find("pids")->path + "/pids.max", fmt::format("{}", limits.pids)));
    return {};
}

std::vector<std::string> Cgroup::join_files() const {
    std::vector<std::string> files;
    for (const std::string& path : paths()) files.push_back(path + "/cgroup.procs");
    return files;
}

std::vector<pid_t> Cgroup::processes() const {
    std::set<pid_t> pids;
    for (const std::string& path : join_files()) {
        const Result<std::string> text = read_file(path);
        if (!text) continue;
        std::string_view rest = *text;
        while (!rest.empty()) {
            const std::size_t end = std::min(rest.find('\n'), rest.size());
            // 0 stands for a process of another pid namespace; there is none below ours.
            if (const auto pid = number(rest.substr(0, end)); pid && *pid > 0)
                pids.insert(static_cast<pid_t>(*pid));
            rest.remove_prefix(std::min(end + 1, rest.size()));
        }
    }
    return {pids.begin(), pids.end()};
}

void Cgroup::freeze(bool frozen) const {
    const CgroupDirectory* v2 = find("");
    const CgroupDirectory* v1 = find("freezer");
    if (v2 != nullptr && exists(v2->path + "/cgroup.freeze")) {
        (void)write_control(v2->path + "/cgroup.freeze", frozen ? "1" : "0");
        const Duration step = kPollEvery;
        for (Duration waited{}; frozen && waited < kFreezeMax; waited += step, pause())
            if (read_keyed(v2->path + "/cgroup.events", "frozen") == 1) return;
    } else if (v1 != nullptr) {
        const std::string path = v1->path + "/freezer.state";
        (void)write_control(path, frozen ? "FROZEN" : "THAWED");
        for (Duration waited{}; frozen && waited < kFreezeMax; waited += kPollEvery, pause())
            if (const Result<std::string> state = read_file(path); !state || *state == "FROZEN\n")
                return;
    }
}

void Cgroup::signal_all(int signal, const std::vector<pid_t>& spare) const {
    freeze(true);
    for (const pid_t pid : processes())
        if (std::ranges::find(spare, pid) == spare.end()) ::kill(pid, signal);
    freeze(false);
}

Result<void> Cgroup::kill(Duration at_most) const {
    const CgroupDirectory* v2 = find("");
    const bool at_once = v2 != nullptr && exists(v2->path + "/cgroup.kill");
    for (Duration waited{}; waited < at_most; waited += kPollEvery, pause()) {
        if (processes().empty()) return {};
        if (at_once) (void)write_control(v2->path + "/cgroup.kill", "1");
        // Also those that never joined the v2 side because they died or were moved in between.
        if (!at_once || waited > kFreezeMax) signal_all(SIGKILL, {});
    }
    if (processes().empty()) return {};
    return fail(
        ErrorCode::deadline_exceeded,
        fmt::format(
            "{}: processes survive SIGKILL; they wait in the kernel (disk, driver)", paths().front()
        )
    );
}

Result<void> Cgroup::remove() const {
    for (const std::string& path : paths()) {
        for (int tries = 0; ::rmdir(path.c_str()) != 0 && errno != ENOENT; ++tries) {
            if (errno != EBUSY || tries == kRemoveTriesMax) return fail_errno(errno, path);
            pause();
        }
    }
    return {};
}

CgroupCounters Cgroup::read() const {
    CgroupCounters counters;
    if (const auto path = file("cpuacct", "cpuacct.usage", ""))
        counters.cpu_time = scaled(read_number(path), 1000);
    else
        counters.cpu_time = scaled(read_keyed(file("", "", "cpu.stat"), "usage_usec"), 1);
    if (const CgroupDirectory* cpu = find("cpu"))
        counters.throttled_time =
            cpu->v2 ? scaled(read_keyed(cpu->path + "/cpu.stat", "throttled_usec"), 1)
                    : scaled(read_keyed(cpu->path + "/cpu.stat", "throttled_time"), 1000);
    counters.memory_bytes = read_number(file("memory", "memory.usage_in_bytes", "memory.current"));
    counters.memory_peak_bytes =
        read_number(file("memory", "memory.max_usage_in_bytes", "memory.peak"));
    counters.oom_kills =
        read_keyed(file("memory", "memory.oom_control", "memory.events"), "oom_kill");
    if (const auto path = file("blkio", "blkio.throttle.io_service_bytes", "")) {
        counters.io_read_bytes = read_io(path, " Read ");
        counters.io_written_bytes = read_io(path, " Write ");
    } else if (const auto stat = file("io", "", "io.stat")) {
        counters.io_read_bytes = read_io(stat, " rbytes=");
        counters.io_written_bytes = read_io(stat, " wbytes=");
    }
    return counters;
}

namespace {

// On v2 a controller works in a group only when each group above hands it down.
bool hand_down(const CgroupPlace& place, const std::string& from, const std::string& parent) {
    if (place.version == CgroupVersion::v1 || place.controller.empty()) return true;
    for (const std::string& directory : {from, parent})
        if (!write_control(directory + "/cgroup.subtree_control", "+" + place.controller))
            return false;
    return true;
}

std::optional<std::string> make_parent(const CgroupPlace& place, const std::string& name) {
    for (const std::string& base : {place.mount, place.own}) {
        if (base.empty()) continue;
        const std::string parent = base + "/" + name;
        if (!make_directory(parent, 0755) || ::access(parent.c_str(), W_OK) != 0) continue;
        if (hand_down(place, base, parent)) return parent;
    }
    return std::nullopt;
}

}  // namespace

CgroupParents CgroupParents::open(const CgroupLayout& layout, const std::string& name) {
    CgroupParents parents;
    for (const CgroupPlace& place : layout.places)
        if (const auto parent = make_parent(place, name))
            parents.parents_.push_back(
                {.controller = place.controller,
                 .v2 = place.version == CgroupVersion::v2,
                 .path = *parent}
            );
    const Cgroup probe = parents.group(fmt::format("probe-{}", ::getpid()));
    const bool made = !probe.empty() && probe.create().has_value();
    const std::int64_t mib = std::int64_t{1} << 20;
    if (made && probe.has("cpu") && probe.limit({.cpu_milli = 100}))
        parents.enforces_.push_back("cpu");
    if (made && probe.has("memory") && probe.limit({.memory_bytes = 64 * mib}))
        parents.enforces_.push_back("memory");
    if (made && probe.has("pids") && probe.limit({.pids = 16})) parents.enforces_.push_back("pids");
    (void)probe.remove();
    return parents;
}

Cgroup CgroupParents::group(const std::string& attempt_id) const {
    std::vector<CgroupDirectory> directories = parents_;
    for (CgroupDirectory& directory : directories) directory.path += "/" + attempt_id;
    return Cgroup(std::move(directories));
}

namespace {

constexpr std::int64_t kUnlimitedMemory = std::int64_t{1}
                                          << 60;  // v1 says so with a number near 2⁶³

std::optional<std::int64_t> cpu_limit_of(const std::string& directory, bool v2) {
    if (!v2) {
        const auto quota = read_number(directory + "/cpu.cfs_quota_us");
        const auto period = read_number(directory + "/cpu.cfs_period_us");
        if (!quota || !period || *quota <= 0 || *period <= 0) return std::nullopt;
        return *quota * 1000 / *period;
    }
    const Result<std::string> text = read_file(directory + "/cpu.max");
    const std::size_t blank = text ? text->find(' ') : std::string::npos;
    if (blank == std::string::npos) return std::nullopt;
    const auto quota = number(std::string_view(*text).substr(0, blank));
    const auto period = number(std::string_view(*text).substr(blank + 1));
    if (!quota || !period || *period <= 0) return std::nullopt;
    return *quota * 1000 / *period;
}

std::optional<std::int64_t> memory_limit_of(const std::string& directory, bool v2) {
    const auto limit = read_number(directory + (v2 ? "/memory.max" : "/memory.limit_in_bytes"));
    return limit && *limit < kUnlimitedMemory ? limit : std::nullopt;
}

// The smallest limit from the place's own directory up to the top of what is mounted.
template <class Read>
std::int64_t smallest(const CgroupPlace* place, Read read) {
    std::int64_t found = 0;
    if (place == nullptr || place->own.empty()) return 0;
    for (std::string path = place->own; path.size() >= place->mount.size();
         path.resize(path.rfind('/')))
        if (const auto limit = read(path, place->version == CgroupVersion::v2))
            found = found == 0 ? *limit : std::min(found, *limit);
    return found;
}

}  // namespace

Limits read_own_limits(const CgroupLayout& layout) {
    return {
        .cpu_milli = smallest(layout.find("cpu"), cpu_limit_of),
        .memory_bytes = smallest(layout.find("memory"), memory_limit_of),
    };
}

}  // namespace penstock::drivers
