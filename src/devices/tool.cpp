// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <system_error>

#include "devices/vendor.h"

namespace penstock::devices {
namespace {

// A name without a slash is looked for where root's programs are, not in the environment's PATH: an
// agent as a service has hardly any.
std::string find_program(const std::string& name) {
    if (name.find('/') != std::string::npos) return ::access(name.c_str(), X_OK) == 0 ? name : "";
    for (const char* folder :
         {"/usr/local/sbin/", "/usr/local/bin/", "/usr/sbin/", "/usr/bin/", "/opt/rocm/bin/"})
        if (const std::string path = folder + name; ::access(path.c_str(), X_OK) == 0) return path;
    return "";
}

// Reads to the end, at most until `until`; false when that or the size limit was reached.
bool read_all(int file, Duration until, std::string& text) {
    const SystemClock clock;
    while (text.size() < kToolOutputBytesMax) {
        const Duration left = until - clock.monotonic();
        pollfd wanted{file, POLLIN, 0};
        if (left <= Duration::zero() || ::poll(&wanted, 1, static_cast<int>(to_ms(left)) + 1) == 0)
            return false;
        std::array<char, 8192> buffer;
        const ssize_t count = ::read(file, buffer.data(), buffer.size());
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return true;
        text.append(buffer.data(), static_cast<std::size_t>(count));
    }
    return false;
}

}  // namespace

Result<std::string> run_tool(const std::vector<std::string>& argv, Duration time_max) {
    const std::string program = argv.empty() ? "" : find_program(argv.front());
    if (program.empty()) return fail(ErrorCode::not_found, "no such program");
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail(ErrorCode::resource_exhausted, "no pipe");
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    ::posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    posix_spawnattr_t attributes;
    ::posix_spawnattr_init(&attributes);
    // A group of its own, so that children of a script are killed with it.
    ::posix_spawnattr_setpgroup(&attributes, 0);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    std::vector<std::string> words = argv;
    std::vector<char*> pointers;
    for (std::string& word : words) pointers.push_back(word.data());
    pointers.push_back(nullptr);
    std::string path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    std::string language = "LC_ALL=C";
    std::array<char*, 3> environment = {path.data(), language.data(), nullptr};
    pid_t pid = 0;
    const int error = ::posix_spawn(
        &pid, program.c_str(), &actions, &attributes, pointers.data(), environment.data()
    );
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
    ::close(ends[1]);
    std::string text;
    const bool complete =
        error == 0 && read_all(ends[0], SystemClock().monotonic() + time_max, text);
    ::close(ends[0]);
    if (error != 0)
        return fail(
            ErrorCode::unavailable, program + ": " + std::generic_category().message(error)
        );
    if (!complete) ::kill(-pid, SIGKILL);
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (!complete)
        return fail(
            ErrorCode::deadline_exceeded,
            fmt::format(
                "{} took more than {} or wrote more than 1 MiB, and was killed", program,
                to_string(time_max)
            )
        );
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return fail(
            ErrorCode::unavailable, fmt::format("{} ended with status {}", program, status)
        );
    return text;
}

}  // namespace penstock::devices
