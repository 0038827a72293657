// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <thread>

#include "drivers/process_driver.h"
#include "drivers/run_log.h"

// One process a run. It claims the run, starts the sandbox, writes the log, and records the end. It
// is single-threaded, keeps no descriptor and no environment of the agent, and needs nothing of it.
namespace penstock::drivers {
namespace {

constexpr Duration kDrainTimeMax = 5s;  // for what is left in the pipes and the tree after the end
constexpr Duration kSampleEvery = 250ms;  // of memory, where the kernel keeps no peak
constexpr Duration kReleasePollEvery = 20ms;
constexpr int kRecordTriesMax = 60;  // of writing the exit record to a full disk, one a second
constexpr std::size_t kReasonBytesMax = 2048;
constexpr std::size_t kReadBytes = 64UL * 1024;

struct Pipe {
    FileDescriptor read;
    FileDescriptor write;
};

Result<Pipe> make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail_errno(errno, "pipe");
    return Pipe{FileDescriptor(ends[0]), FileDescriptor(ends[1])};
}

// A file in memory at its start, for bwrap to read arguments from.
Result<FileDescriptor> arguments_file(const std::vector<std::string>& arguments) {
    FileDescriptor file(::memfd_create("arguments", MFD_CLOEXEC));
    if (!file.is_open()) return fail_errno(errno, "memfd_create");
    for (const std::string& argument : arguments) {
        std::string_view rest(argument.c_str(), argument.size() + 1);
        while (!rest.empty()) {
            const ssize_t count = ::write(file.get(), rest.data(), rest.size());
            if (count < 0) return fail_errno(errno, "memfd");
            rest.remove_prefix(static_cast<std::size_t>(count));
        }
    }
    ::lseek(file.get(), 0, SEEK_SET);
    return file;
}

// Everything the child needs, made before fork(): between fork and exec nothing is allocated.
struct Child {
    std::vector<char*> argv;
    std::vector<std::string> join_files;
    int out = -1;
    int err = -1;
    int started = -1;
    int arguments = -1;
};

[[noreturn]] void die_in_child(const char* what) {
    const char* text = ::strerrordesc_np(errno);
    (void)!::write(2, what, std::strlen(what));
    (void)!::write(2, ": ", 2);
    if (text != nullptr) (void)!::write(2, text, std::strlen(text));
    (void)!::write(2, "\n", 1);
    ::_exit(126);
}

[[noreturn]] void run_child(const Child& child) {
    ::dup2(child.out, 1);
    ::dup2(child.err, 2);
    for (const std::string& path : child.join_files) {
        const int file = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
        if (file < 0 || ::write(file, "0", 1) != 1) die_in_child(path.c_str());
        ::close(file);
    }
    // Above the two numbers wanted first, so that neither copy overwrites the other's source.
    const int started = ::fcntl(child.started, F_DUPFD, 32);
    const int arguments = ::fcntl(child.arguments, F_DUPFD, 32);
    if (started < 0 || arguments < 0) die_in_child("fcntl");
    ::dup2(started, kStartedFd);
    ::dup2(arguments, kArgumentsFd);
    ::syscall(SYS_close_range, 3U, unsigned(kStartedFd) - 1U, 0U);
    ::syscall(SYS_close_range, unsigned(kArgumentsFd) + 1U, ~0U, 0U);
    for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
    ::umask(022);
    char* environment[] = {nullptr};
    ::execve(child.argv[0], child.argv.data(), environment);
    die_in_child(child.argv[0]);
}

struct StepEnd {
    bool began = false;  // the sandbox stood and the shell ran
    int exit_code = 0;
    std::string last_words;  // of a sandbox that never stood
};

class Supervisor {
  public:
    Supervisor(RunDirectory run, Launch launch)
        : run_(std::move(run)),
          launch_(std::move(launch)),
          cgroup_(launch_.cgroup),
          formatter_(launch_.log_bytes_max) {}

    Result<void> claim();
    void run();

  private:
    Result<StepEnd> run_step(const LaunchStep& step);
    void follow(pid_t child, const Pipe& out, const Pipe& err, const Pipe& started, StepEnd& end);
    bool read_some(int file, Stream stream, StepEnd& end);
    void begin(pid_t child, StepEnd& end);
    void end_leftovers(pid_t child);
    void sample_memory();
    void append(std::string_view text);
    ExitRecord judge(const Result<StepEnd>& end, const LaunchStep& step) const;
    void count(ExitRecord& record) const;
    void report(ExitRecord record);
    bool await_release();

    RunDirectory run_;
    Launch launch_;
    Cgroup cgroup_;
    LogFormatter formatter_;
    SystemClock clock_;
    FileDescriptor log_;
    bool log_failed_ = false;
    std::string step_name_;
    std::optional<Time> running_at_;
    std::int64_t memory_peak_sampled_ = 0;
    bool samples_memory_ = false;
};

Result<void> Supervisor::claim() {
    const auto self = identify(::getpid());
    if (!self) return fail(ErrorCode::internal, "/proc is not readable: mount it");
    Claim claim{
        .attempt_id = launch_.attempt_id,
        .fence = launch_.fence,
        .epoch = {},
        .boot_id = boot_id(),
        .supervisor = *self,
        .at = clock_.now(),
    };
    claim.epoch = fmt::format("{}:{}:{}", claim.boot_id, self->pid, self->start_ticks);
    log_ = FileDescriptor(
        ::open(run_.file("log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)
    );
    if (!log_.is_open()) return fail_errno(errno, run_.file("log"));
    return run_.write_claim(claim);
}

void Supervisor::append(std::string_view text) {
    while (!text.empty()) {
        const ssize_t count = ::write(log_.get(), text.data(), text.size());
        if (count < 0 && errno == EINTR) continue;
        // A full disk must not stop the task's pipe; what is missing is said at the end.
        if (count < 0) {
            log_failed_ = true;
            return;
        }
        text.remove_prefix(static_cast<std::size_t>(count));
    }
}

void Supervisor::sample_memory() {
    if (const auto now = cgroup_.read().memory_bytes)
        memory_peak_sampled_ = std::max(memory_peak_sampled_, *now);
}

bool Supervisor::read_some(int file, Stream stream, StepEnd& end) {
    std::array<char, kReadBytes> buffer;
    const ssize_t count = ::read(file, buffer.data(), buffer.size());
    if (count < 0) return errno == EINTR || errno == EAGAIN;
    if (count == 0) return false;
    const std::string_view bytes(buffer.data(), static_cast<std::size_t>(count));
    if (!end.began && end.last_words.size() < kReasonBytesMax)
        end.last_words += bytes.substr(0, kReasonBytesMax - end.last_words.size());
    append(formatter_.add(stream, bytes, clock_.now()));
    return true;
}

void Supervisor::begin(pid_t child, StepEnd& end) {
    end.began = true;
    // A stop that came before there was anything to signal is carried out here.
    if (run_.is_stopping()) {
        ::kill(child, SIGKILL);
        end_leftovers(child);
        return;
    }
    if (step_name_ != "script") return;
    running_at_ = clock_.now();
    // On failure the run is shown as starting for its whole life; its exit record has the time.
    (void)run_.write_progress({.running_at = *running_at_});
}

// Until the child has ended and both pipes are at their end, or for kDrainTimeMax after its end.
void Supervisor::follow(
    pid_t child, const Pipe& out, const Pipe& err, const Pipe& started, StepEnd& end
) {
    const FileDescriptor process(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
    std::array<pollfd, 4> files = {
        pollfd{process.get(), POLLIN, 0}, pollfd{started.read.get(), POLLIN, 0},
        pollfd{out.read.get(), POLLIN, 0}, pollfd{err.read.get(), POLLIN, 0}
    };
    std::optional<Duration> drain_until;
    while (files[0].fd >= 0 || files[2].fd >= 0 || files[3].fd >= 0) {
        if (drain_until && clock_.monotonic() > *drain_until) break;
        const bool wakes = drain_until || formatter_.has_pending() || samples_memory_;
        ::poll(files.data(), files.size(), wakes ? int(to_ms(kSampleEvery)) : -1);
        if (files[1].revents != 0) {
            char byte = 0;
            if (::read(files[1].fd, &byte, 1) == 1) begin(child, end);
            files[1].fd = -1;
        }
        for (const std::size_t i : {2UL, 3UL})
            if (files[i].revents != 0 &&
                !read_some(files[i].fd, i == 2 ? Stream::out : Stream::err, end))
                files[i].fd = -1;
        append(formatter_.flush_partial(clock_.now()));
        if (samples_memory_) sample_memory();
        if (files[0].revents != 0 && files[0].fd >= 0) {
            files[0].fd = -1;
            end_leftovers(child);
            drain_until = clock_.monotonic() + kDrainTimeMax;
        }
        for (pollfd& file : files) file.revents = 0;
    }
}

// The main process has ended (it is a zombie still): what it left in the background ends with it.
void Supervisor::end_leftovers(pid_t child) {
    const Duration until = clock_.monotonic() + kDrainTimeMax;
    if (!cgroup_.empty()) (void)cgroup_.kill(kDrainTimeMax);
    // This process is the subreaper of the sandbox: orphans become its children.
    while (clock_.monotonic() < until) {
        const std::vector<pid_t> left = descendants(::getpid());
        if (std::ranges::all_of(left, [&](pid_t pid) { return pid == child; })) return;
        for (const pid_t pid : left) {
            if (pid == child) continue;
            ::kill(pid, SIGKILL);
            ::waitpid(pid, nullptr, WNOHANG);
        }
        std::this_thread::sleep_for(2ms);
    }
}

Result<StepEnd> Supervisor::run_step(const LaunchStep& step) {
    step_name_ = step.name;
    Pipe out = TRY(make_pipe());
    Pipe err = TRY(make_pipe());
    Pipe started = TRY(make_pipe());
    const FileDescriptor arguments = TRY(arguments_file(launch_.inner_arguments));
    Child child{
        .argv = {},
        .join_files = cgroup_.join_files(),
        .out = out.write.get(),
        .err = err.write.get(),
        .started = started.write.get(),
        .arguments = arguments.get(),
    };
    for (const std::string& argument : step.argv)
        child.argv.push_back(const_cast<char*>(argument.c_str()));
    child.argv.push_back(nullptr);
    const pid_t pid = ::fork();
    if (pid < 0) return fail_errno(errno, "fork");
    if (pid == 0) run_child(child);
    out.write.close();
    err.write.close();
    started.write.close();
    StepEnd end;
    follow(pid, out, err, started, end);
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    // bwrap hands on 128 + signal; it is killed itself only together with all it holds.
    end.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    append(formatter_.finish(clock_.now()));
    return end;
}

ExitRecord Supervisor::judge(const Result<StepEnd>& end, const LaunchStep& step) const {
    ExitRecord record{.fence = launch_.fence, .ended_at = clock_.now()};
    record.running_at = running_at_;
    count(record);
    if (!end) {
        record.cause = run_.is_stopping() ? Cause::stopped : Cause::launch_failed;
        record.reason = to_string(end.error());
        return record;
    }
    const int code = end->exit_code;
    if (end->began) record.exit_code = code;
    if (code > 128 && code < 128 + NSIG) record.signal = code - 128;
    if (run_.is_stopping()) {
        record.cause = Cause::stopped;
        record.reason = "stopped";
    } else if (record.out_of_memory && code != 0) {
        record.cause = Cause::out_of_memory;
        record.reason = fmt::format("{} passed its memory limit and was killed", step.name);
    } else if (!end->began) {
        record.cause = Cause::launch_failed;
        record.reason = end->last_words.empty() ? fmt::format("the sandbox ended with {}", code)
                                                : end->last_words;
    } else if (step.name == "setup" && code != 0) {
        record.cause = Cause::setup_failed;
        record.reason = fmt::format("setup ended with exit code {}", code);
    } else if (record.signal) {
        record.cause = Cause::signal;
        record.reason =
            fmt::format("ended by signal {} ({})", *record.signal, ::sigabbrev_np(*record.signal));
    } else {
        record.cause = Cause::exited;
        record.reason = fmt::format("exit code {}", code);
    }
    return record;
}

void Supervisor::count(ExitRecord& record) const {
    const CgroupCounters counters = cgroup_.read();
    record.out_of_memory = counters.oom_kills.value_or(0) > 0;
    record.memory_peak_bytes = counters.memory_peak_bytes;
    if (!record.memory_peak_bytes && memory_peak_sampled_ > 0)
        record.memory_peak_bytes = memory_peak_sampled_;
    record.io_read_bytes = counters.io_read_bytes;
    record.io_written_bytes = counters.io_written_bytes;
    if (counters.throttled_time) record.throttled_us = counters.throttled_time->count();
    if (counters.cpu_time) {
        record.cpu_us = counters.cpu_time->count();
        return;
    }
    // All processes of the sandbox have been waited for, here or by each other.
    rusage usage{};
    ::getrusage(RUSAGE_CHILDREN, &usage);
    const auto us = [](const timeval& time) {
        return std::int64_t{time.tv_sec} * 1'000'000 + time.tv_usec;
    };
    record.cpu_us = us(usage.ru_utime) + us(usage.ru_stime);
    if (!record.memory_peak_bytes) record.memory_peak_bytes = std::int64_t{usage.ru_maxrss} * 1024;
    record.estimated = true;
}

void Supervisor::report(ExitRecord record) {
    if (log_failed_) record.reason += "; the log is incomplete: it could not be written";
    (void)::fsync(log_.get());
    for (int tries = 0; tries < kRecordTriesMax; ++tries) {
        const Result<void> written = run_.write_exit(record);
        // A newer fence has taken over: nothing of this run counts any more.
        if (written || written.error().code == ErrorCode::conflict) return;
        std::this_thread::sleep_for(1s);
    }
}

// False: it was stopped instead.
bool Supervisor::await_release() {
    // When the mark cannot be written nobody learns that it waits; whoever waits for that gives up.
    (void)run_.mark_held();
    while (!run_.is_released()) {
        if (run_.is_stopping()) return false;
        std::this_thread::sleep_for(kReleasePollEvery);
    }
    return true;
}

void Supervisor::run() {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    samples_memory_ = cgroup_.has("memory") && !cgroup_.read().memory_peak_bytes;
    for (const LaunchStep& step : launch_.steps) {
        if (run_.is_stopping())
            return report(judge(fail(ErrorCode::conflict, "stopped before it began"), step));
        const bool last = &step == &launch_.steps.back();
        if (last && launch_.hold.value_or(false) && !await_release())
            return report(judge(fail(ErrorCode::conflict, "stopped before it began"), step));
        const Result<StepEnd> end = run_step(step);
        const bool goes_on = end && end->began && end->exit_code == 0 && !run_.is_stopping();
        if (last || !goes_on) return report(judge(end, step));
    }
}

void tell_driver(std::string_view text) {
    (void)!::write(1, text.data(), text.size());
    const FileDescriptor null(::open("/dev/null", O_RDWR));
    for (const int number : {0, 1, 2}) ::dup2(null.get(), number);
}

}  // namespace

int supervise(int argc, char** argv) {
    ::syscall(SYS_close_range, 3U, ~0U, 0U);
    if (argc < 2) return 2;
    ::umask(077);
    // The parent returns at once, so that the driver can wait for it and this process belongs to
    // init.
    const pid_t child = ::fork();
    if (child != 0) return child < 0 ? 1 : 0;
    ::setsid();
    for (const int number : {SIGHUP, SIGINT, SIGTERM, SIGPIPE}) ::signal(number, SIG_IGN);
    const RunDirectory run(argv[argc - 1]);
    Result<Launch> launch = run.read_launch();
    if (!launch) {
        tell_driver(to_string(launch.error()) + "\n");
        ::_exit(1);
    }
    Supervisor supervisor(run, *std::move(launch));
    if (const Result<void> claimed = supervisor.claim(); !claimed) {
        tell_driver(to_string(claimed.error()) + "\n");
        ::_exit(1);
    }
    tell_driver("ok\n");
    supervisor.run();
    ::_exit(0);
}

}  // namespace penstock::drivers
