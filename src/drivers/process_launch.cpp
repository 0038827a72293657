// SPDX-License-Identifier: Apache-2.0
// prepare and start of ProcessDriver.
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <set>

#include "drivers/process_driver.h"

namespace penstock::drivers {
namespace {

constexpr std::size_t kAnswerBytesMax = 4096;

// The first line a supervisor writes: "ok", or an error. The pipe ends without one when it died.
Result<void> read_answer(int file) {
    const SystemClock clock;
    const Duration until = clock.monotonic() + kStartTimeMax;
    std::string answer;
    while (!answer.ends_with('\n') && answer.size() < kAnswerBytesMax) {
        const Duration left = until - clock.monotonic();
        pollfd wanted{file, POLLIN, 0};
        if (left <= Duration::zero() || ::poll(&wanted, 1, static_cast<int>(to_ms(left)) + 1) == 0)
            return fail(
                ErrorCode::deadline_exceeded, "the supervisor did not claim the attempt within 10s"
            );
        std::array<char, 512> buffer;
        const ssize_t count = ::read(file, buffer.data(), buffer.size());
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) break;
        answer.append(buffer.data(), static_cast<std::size_t>(count));
    }
    if (answer == "ok\n") return {};
    if (answer.empty())
        return fail(
            ErrorCode::unavailable, "the supervisor ended without a word; is its command right?"
        );
    answer.pop_back();
    const std::string_view code = std::string_view(answer).substr(0, answer.find(':'));
    return fail(error_code_from_name(code), "the supervisor says " + answer);
}

std::optional<std::uint32_t> user_of(const RunDirectory& run) {
    const Result<std::string> text = read_file(run.file("uid"));
    std::uint32_t uid = 0;
    if (!text || std::from_chars(text->data(), text->data() + text->size(), uid).ec != std::errc())
        return std::nullopt;
    return uid;
}

}  // namespace

Result<void> ProcessDriver::check_limits(const LaunchSpec& spec) const {
    if (!spec.demand_enforcement) return {};
    const std::vector<std::string> kept = enforces();
    const auto check = [&](std::int64_t limit, const std::string& name) -> Result<void> {
        if (limit == 0 || std::ranges::find(kept, name) != kept.end()) return {};
        return fail_field(
            ErrorCode::invalid_argument, "limits",
            fmt::format(
                "this node cannot enforce a limit of {} (it has no cgroup rights for it); run the "
                "agent as root or delegate the controller, or do not demand enforcement",
                name
            )
        );
    };
    TRY(check(spec.limits.cpu_milli, "cpu"));
    TRY(check(spec.limits.memory_bytes, "memory"));
    TRY(check(spec.limits.pids, "pids"));
    return {};
}

Result<Prepared> ProcessDriver::prepare(const LaunchSpec& spec) {
    TRY(check_launch_spec(spec));
    TRY(check_limits(spec));
    const RunDirectory run(options_.state_dir + "/" + spec.attempt_id);
    TRY(make_directory(run.path(), 0700));
    done("run directory made");
    const FileLock lock = TRY(run.lock_start());
    TRY(supersede(run, spec));
    for (const char* name : {"work", "tmp", "etc"}) TRY(make_directory(run.file(name), 0700));
    done("work directory made");
    return Prepared{.work_dir = run.work()};
}

// Makes spec.fence the newest, and clears what an older one left.
Result<void> ProcessDriver::supersede(const RunDirectory& run, const LaunchSpec& spec) {
    {
        const FileLock lock = TRY(run.lock_claim());
        const std::int64_t newest = TRY(run.fence());
        if (newest > spec.fence)
            return fail(
                ErrorCode::conflict, fmt::format(
                                         "attempt {}: fence {} is outdated, {} is known here",
                                         spec.attempt_id, spec.fence, newest
                                     )
            );
        // From here on the older run can neither claim nor report, so it may be killed at leisure.
        if (newest < spec.fence) TRY(run.write_fence(spec.fence));
    }
    done("fence written");
    const std::optional<Claim> claim = TRY(run.read_claim());
    if (!claim || claim->fence == spec.fence) return {};
    TRY(end_tree(run, claim, true));
    TRY(remove_cgroup(spec.attempt_id));
    return run.reset();
}

Result<std::optional<std::uint32_t>> ProcessDriver::give_user(const RunDirectory& run) const {
    if (!is_root_) return std::nullopt;
    if (const auto given = user_of(run)) return given;
    const FileLock lock = TRY(FileLock::take(options_.state_dir + "/.users.lock"));
    std::set<std::uint32_t> taken;
    for (const std::string& name : TRY(run_names()))
        if (const auto uid = user_of(RunDirectory(options_.state_dir + "/" + name)))
            taken.insert(*uid);
    for (std::uint32_t uid = options_.uid_first; uid < options_.uid_first + options_.uid_count;
         ++uid) {
        // Another agent of this host may use the same range.
        if (taken.contains(uid) || is_user_active(uid)) continue;
        TRY(write_file(run.file("uid"), fmt::format("{}\n", uid), 0600));
        return uid;
    }
    return fail(
        ErrorCode::resource_exhausted,
        fmt::format("all {} users for attempts are taken; clean ended attempts", options_.uid_count)
    );
}

Result<std::optional<std::uint32_t>> ProcessDriver::host_uid(const std::string& attempt_id) {
    return user_of(TRY(find(attempt_id)));
}

Result<void> ProcessDriver::write_task_files(const RunDirectory& run, const LaunchSpec& spec)
    const {
    for (const auto& [name, text] : generated_files(spec))
        TRY(write_file(run.file("etc/" + name), text, 0644));
    TRY(write_file(run.file("script.sh"), spec.script, 0644));
    if (!spec.setup.empty()) TRY(write_file(run.file("setup.sh"), spec.setup, 0644));
    return {};
}

Result<void> ProcessDriver::make_cgroup(const LaunchSpec& spec) const {
    // A directory from a crash has old counters, and perhaps processes.
    TRY(remove_cgroup(spec.attempt_id));
    const Cgroup group = parents_.group(spec.attempt_id);
    TRY(group.create());
    Limits limits = spec.limits;
    if (limits.pids > 0) limits.pids += kSandboxProcesses;
    return group.limit(limits);
}

Result<Status> ProcessDriver::start(const LaunchSpec& spec) {
    TRY(prepare(spec));
    const RunDirectory run(options_.state_dir + "/" + spec.attempt_id);
    const FileLock lock = TRY(run.lock_start());
    if (const std::int64_t newest = TRY(run.fence()); newest != spec.fence)
        return fail(
            ErrorCode::conflict, fmt::format(
                                     "attempt {}: fence {} is outdated, {} is known here",
                                     spec.attempt_id, spec.fence, newest
                                 )
        );
    if (TRY(run.read_claim())) return status(spec.attempt_id);
    const std::vector<std::string> kept = enforces();
    const auto keeps = [&](const char* name) {
        return std::ranges::find(kept, name) != kept.end();
    };
    const Sandbox sandbox{
        .bwrap = options_.bwrap,
        .setpriv = options_.setpriv,
        .run_directory = run.path(),
        .runtimes = options_.runtimes,
        .host_uid = TRY(give_user(run)),
        .limit_by_rlimits = !keeps("memory") || !keeps("pids"),
    };
    done("user given");
    TRY(write_task_files(run, spec));
    if (sandbox.host_uid)
        for (const char* name : {"work", "tmp"})
            TRY(change_owner(run.file(name), *sandbox.host_uid, *sandbox.host_uid));
    done("files written");
    TRY(make_cgroup(spec));
    done("cgroup made");
    Launch launch{
        .attempt_id = spec.attempt_id,
        .fence = spec.fence,
        .inner_arguments = inner_arguments(spec),
        .cgroup = parents_.group(spec.attempt_id).directories(),
        .log_bytes_max = options_.log_bytes_max,
        .hold = spec.hold,
    };
    if (!spec.setup.empty())
        launch.steps.push_back(
            {.name = "setup", .argv = sandbox_command(sandbox, spec, true, "setup.sh")}
        );
    launch.steps.push_back(
        {.name = "script", .argv = sandbox_command(sandbox, spec, false, "script.sh")}
    );
    TRY(run.write_launch(launch));
    done("launch written");
    const Result<void> spawned = spawn_supervisor(run);
    done("supervisor started");
    // Whoever claimed first is the run, also when it was not the one started here.
    if (!spawned && !TRY(run.read_claim())) return std::unexpected(spawned.error());
    return status(spec.attempt_id);
}

Result<void> ProcessDriver::spawn_supervisor(const RunDirectory& run) const {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail_errno(errno, "pipe");
    const FileDescriptor answer(ends[0]);
    FileDescriptor answering(ends[1]);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&actions, answering.get(), 1);
    ::posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    posix_spawnattr_t attributes;
    ::posix_spawnattr_init(&attributes);
    // Threads of a pool block signals; the supervisor must not inherit that.
    sigset_t none;
    sigset_t all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setsigdefault(&attributes, &all);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    std::vector<std::string> words = options_.supervisor;
    words.push_back(run.path());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    // The agent's environment may hold its keys.
    std::string path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
    std::array<char*, 2> environment = {path.data(), nullptr};
    pid_t pid = 0;
    const int error =
        ::posix_spawn(&pid, argv.front(), &actions, &attributes, argv.data(), environment.data());
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
    if (error != 0) return fail_errno(error, argv.front());
    answering.close();
    const Result<void> answered = read_answer(answer.get());
    // The direct child only forks. A loop elsewhere that waits for any child may have taken it.
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    return answered;
}

}  // namespace penstock::drivers
