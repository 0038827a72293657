// SPDX-License-Identifier: Apache-2.0
#include "drivers/process_driver.h"

#include <dirent.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <thread>

#include "drivers/run_log.h"

namespace penstock::drivers {
namespace {

constexpr Duration kPollEvery = 20ms;  // of a run that has no supervisor to wait for yet
constexpr std::int64_t kProbeLogBytesMax = 2048;
constexpr std::string_view kProbe = "probe-";
constexpr std::string_view kRemoving = ".removing-";

Result<std::vector<std::string>> names_in(const std::string& directory) {
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(::opendir(directory.c_str()), ::closedir);
    if (stream == nullptr) return fail_errno(errno, directory);
    std::vector<std::string> names;
    while (const dirent* entry = ::readdir(stream.get())) {
        const std::string_view name = entry->d_name;
        const bool folder = entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN;
        if (name == "." || name == ".." || !folder) continue;
        if (names.size() == kRunsMax)
            return fail(
                ErrorCode::resource_exhausted, directory + ": more than 10000 runs; clean some"
            );
        names.emplace_back(name);
    }
    std::ranges::sort(names);
    return names;
}

// The part of an attempt's state that its exit record tells.
void apply(Status& status, const ExitRecord& record) {
    status.state = RunState::exited;
    status.cause = record.cause;
    status.exit_code = record.exit_code;
    status.signal = record.signal;
    status.out_of_memory = record.out_of_memory;
    status.reason = record.reason;
    status.running_at = record.running_at;
    status.ended_at = record.ended_at;
}

bool is_supervised(const Claim& claim) {
    return claim.boot_id == boot_id() && is_alive(claim.supervisor);
}

}  // namespace

Result<RunDirectory> ProcessDriver::find(const std::string& attempt_id) const {
    const bool named = !attempt_id.empty() && attempt_id.find_first_of("/.") == std::string::npos;
    RunDirectory run(options_.state_dir + "/" + attempt_id);
    if (!named || !run.exists())
        return fail(
            ErrorCode::not_found, fmt::format("attempt '{}' is not on this node", attempt_id)
        );
    return run;
}

std::vector<std::string> ProcessDriver::enforces() const {
    std::vector<std::string> names =
        options_.use_cgroups ? parents_.enforces() : std::vector<std::string>();
    const auto has = [&](std::string_view name) {
        return std::ranges::find(names, name) != names.end();
    };
    if (!has("memory")) names.emplace_back("memory.per_process");
    if (!has("pids")) names.emplace_back("pids.rlimit");
    for (const char* name : {"filesystem", "network", "devices"}) names.emplace_back(name);
    return names;
}

Result<Status> ProcessDriver::status(const std::string& attempt_id) {
    const RunDirectory run = TRY(find(attempt_id));
    Status status{.attempt_id = attempt_id, .fence = TRY(run.fence()), .state = RunState::prepared};
    const std::optional<Claim> claim = TRY(run.read_claim());
    if (!claim) return status;
    status.fence = claim->fence;
    status.starting_at = claim->at;
    // Asked before the record is read: a supervisor that ends in between has written it.
    const bool supervised = is_supervised(*claim);
    if (const auto record = TRY(run.read_exit())) {
        apply(status, *record);
        return status;
    }
    if (const auto progress = TRY(run.read_progress())) status.running_at = progress->running_at;
    status.state = status.running_at ? RunState::running : RunState::starting;
    status.held = !status.running_at && run.is_held();
    if (supervised) return status;
    status.state = RunState::lost;
    status.cause = Cause::vanished;
    status.reason = claim->boot_id == boot_id()
                        ? "its supervisor was killed before it recorded an end"
                        : "the host was restarted";
    return status;
}

Result<void> ProcessDriver::release(const std::string& attempt_id) {
    return TRY(find(attempt_id)).mark_released();
}

Result<Status> ProcessDriver::wait(const std::string& attempt_id, Duration at_most) {
    const SystemClock clock;
    const Duration until = clock.monotonic() + at_most;
    while (true) {
        Status now = TRY(status(attempt_id));
        const Duration left = until - clock.monotonic();
        if (now.ended() || left <= Duration::zero()) return now;
        const std::optional<Claim> claim = TRY(TRY(find(attempt_id)).read_claim());
        const FileDescriptor process = claim ? open_process(claim->supervisor) : FileDescriptor();
        if (process.is_open()) {
            pollfd file{process.get(), POLLIN, 0};
            ::poll(&file, 1, static_cast<int>(std::min<std::int64_t>(to_ms(left) + 1, 60'000)));
        } else {
            std::this_thread::sleep_for(std::min(left, kPollEvery));
        }
    }
}

// Probes of open() are runs like any other here.
Result<std::vector<std::string>> ProcessDriver::run_names() const {
    std::vector<std::string> names = TRY(names_in(options_.state_dir));
    std::erase_if(names, [](const std::string& name) { return name.starts_with('.'); });
    return names;
}

// What agents that died in open() or clean() left.
Result<void> ProcessDriver::sweep() {
    for (const std::string& name : TRY(names_in(options_.state_dir))) {
        if (name.starts_with(kRemoving)) TRY(remove_tree(options_.state_dir + "/" + name));
        pid_t pid = 0;
        if (!name.starts_with(kProbe)) continue;
        std::from_chars(name.data() + kProbe.size(), name.data() + name.size(), pid);
        if (!identify(pid)) TRY(clean(name));
    }
    return {};
}

Result<std::vector<Status>> ProcessDriver::adopt() {
    std::vector<Status> found;
    for (const std::string& name : TRY(run_names())) {
        if (name.starts_with(kProbe)) continue;
        Result<Status> one = status(name);
        if (!one && one.error().code == ErrorCode::not_found) continue;
        // A record that cannot be read is no reason to forget the run or all others.
        if (!one)
            one = Status{
                .attempt_id = name, .state = RunState::unknown, .reason = to_string(one.error())
            };
        found.push_back(*std::move(one));
    }
    return found;
}

Result<Reading> ProcessDriver::meter(const std::string& attempt_id) {
    const RunDirectory run = TRY(find(attempt_id));
    const std::optional<Claim> claim = TRY(run.read_claim());
    if (!claim)
        return fail(ErrorCode::conflict, fmt::format("attempt {} has not started", attempt_id));
    Reading reading{.epoch = claim->epoch, .first = claim->at, .last = SystemClock().now()};
    if (const auto record = TRY(run.read_exit())) {
        reading.last = record->ended_at;
        reading.cpu_time = Duration(record->cpu_us);
        if (record->throttled_us) reading.throttled_time = Duration(*record->throttled_us);
        reading.memory_peak_bytes = record->memory_peak_bytes;
        reading.io_read_bytes = record->io_read_bytes;
        reading.io_written_bytes = record->io_written_bytes;
        reading.estimated = record->estimated;
        return reading;
    }
    const CgroupCounters counters = Cgroup(TRY(run.read_launch()).cgroup).read();
    reading.throttled_time = counters.throttled_time;
    reading.memory_peak_bytes = counters.memory_peak_bytes;
    reading.io_read_bytes = counters.io_read_bytes;
    reading.io_written_bytes = counters.io_written_bytes;
    if (counters.cpu_time) {
        reading.cpu_time = *counters.cpu_time;
    } else if (is_supervised(*claim)) {
        reading.cpu_time = cpu_time_of(descendants(claim->supervisor.pid));
        reading.estimated = true;
    } else {
        return fail(
            ErrorCode::unavailable,
            fmt::format("attempt {} is lost, and its counters with it", attempt_id)
        );
    }
    return reading;
}

Result<LogChunk> ProcessDriver::read_log(
    const std::string& attempt_id, std::int64_t offset, std::int64_t bytes_max
) {
    const RunDirectory run = TRY(find(attempt_id));
    // Asked first: what is written after this moment may not count as complete.
    const bool ended = TRY(status(attempt_id)).ended();
    LogChunk chunk = TRY(read_log_file(run.file("log"), offset, bytes_max));
    struct stat log{};
    const bool at_end = ::stat(run.file("log").c_str(), &log) != 0 ||
                        chunk.next_offset >= log.st_size || chunk.next_offset == offset;
    chunk.complete = ended && at_end;
    return chunk;
}

ProcessDriver::ProcessDriver(ProcessDriverOptions options, CgroupParents parents, bool is_root)
    : options_(std::move(options)), parents_(std::move(parents)), is_root_(is_root) {}

void ProcessDriver::done(std::string_view step) const {
    if (options_.after_step) options_.after_step(step);
}

Result<std::unique_ptr<ProcessDriver>> ProcessDriver::open(ProcessDriverOptions options) {
    if (!options.state_dir.starts_with('/'))
        return fail_field(ErrorCode::invalid_argument, "state_dir", "must be an absolute path");
    if (options.supervisor.empty() || !options.supervisor.front().starts_with('/'))
        return fail_field(
            ErrorCode::invalid_argument, "supervisor", "must begin with an absolute path"
        );
    TRY(make_directory(options.state_dir, 0700));
    if (::chmod(options.state_dir.c_str(), 0700) != 0) return fail_errno(errno, options.state_dir);
    for (const BindMount& mount : options.runtimes)
        if (!exists(mount.source))
            return fail_field(
                ErrorCode::not_found, "runtimes",
                mount.source + ": no such file or directory; install it or take it out"
            );
    CgroupParents parents;
    if (options.use_cgroups)
        parents = CgroupParents::open(read_cgroup_layout(), options.cgroup_name);
    const bool is_root = ::geteuid() == 0;
    std::unique_ptr<ProcessDriver> driver(
        new ProcessDriver(std::move(options), std::move(parents), is_root)
    );
    TRY(driver->sweep());
    TRY(driver->probe());
    return driver;
}

Result<void> ProcessDriver::probe() {
    static std::atomic<int> number = 0;
    const LaunchSpec spec{
        .attempt_id = fmt::format("{}{}-{}", kProbe, ::getpid(), number++), .script = "exit 0"
    };
    Result<Status> status = start(spec);
    if (status) status = wait(spec.attempt_id, kStartTimeMax);
    std::string words;
    if (const auto log = read_log(spec.attempt_id, 0, kProbeLogBytesMax))
        for (const LogLine& line : log->lines) words += line.text + "; ";
    (void)clean(spec.attempt_id);
    if (!status) return std::unexpected(std::move(status).error());
    if (status->exit_code == 0) return {};
    return fail(
        ErrorCode::unavailable,
        fmt::format(
            "this host cannot make a sandbox: {}{}. Needed: {}, {}, /bin/bash, and user namespaces "
            "(sysctl user.max_user_namespaces)",
            words, status->reason, options_.bwrap, options_.setpriv
        )
    );
}

}  // namespace penstock::drivers
