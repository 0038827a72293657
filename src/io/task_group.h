// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "io/task.h"

namespace penstock::io {

// The owner of spawned tasks: none outlives its group. An exception that leaves a task (other than
// its cancellation) is a defect: CHECK.
//     group.spawn(serve(std::move(stream)));
//     co_await group.close();
class TaskGroup {
  public:
    // Cancels one task of a group; does nothing once that has ended.
    class Canceller {
      public:
        Canceller() = default;
        void cancel() const;
        // False: no task was started, or it has ended.
        explicit operator bool() const { return !signal_.expired(); }

      private:
        friend class TaskGroup;
        explicit Canceller(std::weak_ptr<void> signal) : signal_(std::move(signal)) {}
        std::weak_ptr<void> signal_;
    };

    // `name` stands in messages.
    TaskGroup(Executor executor, std::string name);
    // CHECKs that no task is left: close() comes first.
    ~TaskGroup();
    TaskGroup(const TaskGroup&) = delete;
    TaskGroup& operator=(const TaskGroup&) = delete;

    // Starts the task soon, never inside this call. After close() has begun it is dropped
    // unstarted.
    Canceller spawn(Task<void> task);
    // Runs the task up to its first wait inside this call, for what must not wait for another turn
    // of the loop. `begun` gets its canceller before; the task may have ended when this returns.
    // After close() has begun the task is dropped, and `begun` is not called.
    void spawn_now(Task<void> task, const std::function<void(Canceller)>& begun);
    // Cancels every task without waiting for it.
    void cancel();
    // Cancels every task and waits until all have ended. Never call it from a task of the group. A
    // task that may itself be cancelled uses with_group instead, which closes in that case too.
    Task<void> close();
    // Waits, without cancelling, until no task is left or the deadline passes; tells which.
    Task<bool> drain(Deadline deadline);
    std::size_t size() const;

  private:
    struct State;
    // Shared with the completion of each task, which may run after the group in a stopped Runtime.
    std::shared_ptr<State> state_;
};

// Runs `body` with a group of its own, which is closed however the body ends, by cancellation too.
// The way to own tasks within a task.
Task<void> with_group(std::string name, std::move_only_function<Task<void>(TaskGroup*)> body);

}  // namespace penstock::io
