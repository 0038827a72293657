// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "agent/attempt_run.h"
#include "io/task_group.h"

namespace penstock::agent {

// All attempts of a node, ended ones included for as long as something of them is left. Takes the
// server's commands; every command may come again. On the loop's thread.
class Attempts {
  public:
    static constexpr std::size_t kActiveMax = 1024;  // further ones are refused
    static constexpr std::size_t kReleasedMax =
        1000;  // kept to answer repeats; the oldest goes first

    explicit Attempts(Context& context);

    // What an earlier agent left: records, and what the driver knows. Runs without a record are
    // removed.
    void adopt(std::vector<AttemptRecord> records, const std::vector<drivers::Status>& found);

    void start(const StartAttempt& start);
    void stop(const StopAttempt& stop);
    // Reports up to `seq` are durable at the server.
    void go(const GoAttempt& go);
    void acknowledge(std::int64_t seq);
    // The server has numbers that we never gave: our memory is older than its. Everything is sent
    // anew.
    void renumber(std::int64_t above);

    AttemptRun* find(const AttemptId& id);
    std::vector<AttemptRun*> unreleased();
    // For hello: everything the node still has to do with.
    std::vector<RunningAttempt> held() const;
    // For heartbeats: what is RUNNING, and so metered.
    std::vector<RunningAttempt> running() const;
    std::function<void(AttemptRun&)> on_new;  // a session ships its log

    io::Task<void> close();

  private:
    AttemptRun& add(AttemptRecord record);
    void launch(AttemptRun* run);
    io::Task<void> follow(AttemptRun* run);
    bool refused_by_fence(const StartAttempt& start);
    void supersede(const StartAttempt& start);
    void prune();

    Context& context_;
    std::map<AttemptId, std::unique_ptr<AttemptRun>> runs_;
    io::TaskGroup tasks_;
};

}  // namespace penstock::agent
