// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "cli/invocation.h"
#include "model/task.h"

namespace penstock::cli {

// "run       started on centre/node-1": one event as a progress line.
// `said`: the message of the line before, which is not repeated.
std::string progress_line(
    const Event& event, Language language, bool timestamp, const std::string& said = {}
);
// One log line as it is printed.
std::string log_line(const LogLine& line, bool timestamp, bool item);

// After the last event, how long the rest of the log may take to come.
constexpr Duration kLogTailWaitMax = 15s;
// How often a service is looked at until it is ready; events wake earlier.
constexpr Duration kServiceLookEvery = 1s;

struct FollowOptions {
    bool logs = true;
    bool events = true;
    bool timestamps = false;
    bool until_ready = false;  // of a service: return when a replica is ready
    std::int64_t log_cursor = -1;
    std::optional<std::int64_t> item = {};
};
enum class FollowEnd : std::uint8_t {
    ended,     // the task is in a terminal state
    ready,     // the service is
    detached,  // the person pressed Ctrl-C
};

// Shows a task's events on stderr and its log on stdout while both come, over lost connections,
// until the task ends or the person leaves. One per process, since it takes SIGINT.
class Follower {
  public:
    Follower(Invocation* invocation, std::string task, FollowOptions options);
    io::Task<Result<FollowEnd>> run();

  private:
    io::Task<void> read_events();
    io::Task<void> read_logs();
    io::Task<Result<bool>> service_is_ready();
    io::Task<Result<FollowEnd>> wait();

    Invocation* invocation_;
    std::string task_;
    FollowOptions options_;
    client::Client* client_ = nullptr;
    // Shared: the signal handler outlives the follower.
    struct Interrupts;
    std::shared_ptr<Interrupts> interrupts_;
    io::Event changed_;
    bool events_done_ = false;
    bool logs_done_ = false;
    std::string said_;
    std::optional<Error> failure_;
};

}  // namespace penstock::cli
