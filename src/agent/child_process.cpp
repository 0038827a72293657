// SPDX-License-Identifier: Apache-2.0
#include "agent/child_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "drivers/files.h"

namespace penstock::agent {
namespace {

using drivers::FileDescriptor;

struct Pipe {
    FileDescriptor read_end;
    FileDescriptor write_end;
    static Result<Pipe> make() {
        std::array<int, 2> ends{};
        if (pipe2(ends.data(), O_CLOEXEC) != 0) return drivers::fail_errno(errno, "pipe");
        return Pipe{FileDescriptor(ends[0]), FileDescriptor(ends[1])};
    }
};

// False at the end of the stream.
bool take(FileDescriptor& from, std::string& into) {
    std::array<char, 4096> buffer{};
    const ssize_t got = read(from.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) return true;
    if (got <= 0) return false;
    into.append(
        buffer.data(), std::min(static_cast<std::size_t>(got), kChildOutputMax - into.size())
    );
    return true;
}

// Reads both streams until both end or the time is over; true: it is over.
bool read_until_end(Pipe& out, Pipe& err, ChildResult& result, Duration at_most) {
    const SystemClock clock;
    const Duration until = clock.monotonic() + at_most;
    while (out.read_end.is_open() || err.read_end.is_open()) {
        const Duration left = until - clock.monotonic();
        if (left <= Duration{0}) return true;
        std::array<pollfd, 2> watched{
            pollfd{out.read_end.get(), POLLIN, 0}, pollfd{err.read_end.get(), POLLIN, 0}
        };
        poll(watched.data(), watched.size(), static_cast<int>(to_ms(left)) + 1);
        if (watched[0].revents != 0 && !take(out.read_end, result.out)) out.read_end.close();
        if (watched[1].revents != 0 && !take(err.read_end, result.err)) err.read_end.close();
    }
    return false;
}

}  // namespace

Result<ChildResult> run_child(
    const std::vector<std::string>& command, int input, Duration at_most
) {
    Pipe out = TRY(Pipe::make());
    Pipe err = TRY(Pipe::make());
    std::vector<char*> argv;
    for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    std::array<char*, 1> environment{nullptr};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    if (input >= 0)
        posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    else
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out.write_end.get(), STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, err.write_end.get(), STDERR_FILENO);
    pid_t pid = 0;
    const int error =
        posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), environment.data());
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0)
        return fail(
            ErrorCode::unavailable,
            fmt::format("{} cannot be started: {}", command[0], std::strerror(error))
        );
    out.write_end.close();
    err.write_end.close();
    ChildResult result;
    result.timed_out = read_until_end(out, err, result, at_most);
    if (result.timed_out) kill(pid, SIGKILL);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
    if (WIFEXITED(status)) result.exit_code = WEXITSTATUS(status);
    return result;
}

}  // namespace penstock::agent
