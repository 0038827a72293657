// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "base/check.h"
#include "io/task.h"

namespace penstock::io {

// One event loop on one thread. Everything that is made with its executor (tasks, streams, events,
// servers, clients) is used on that thread only; post() is the door for all others.
//     Runtime runtime;
//     runtime.on_signal([&](int) { runtime.stop(); });
//     runtime.run();
class Runtime {
  public:
    Runtime();
    ~Runtime();
    Runtime(const Runtime&) = delete;
    Runtime& operator=(const Runtime&) = delete;

    Executor executor();
    // Serves until stop(). An exception that leaves a posted function is a defect: CHECK.
    void run();
    // Thread safe. run() returns after the handler that is running now; it can be called again.
    void stop();
    // Thread safe; runs later on the loop's thread, in order.
    void post(std::move_only_function<void()> function);
    // SIGINT and SIGTERM; `handler` runs on the loop, once per signal. One handler per process.
    void on_signal(std::function<void(int)> handler);
    // Runs the loop until `task` has ended: for tests, command lines and orderly shutdown.
    template <class T>
    T block_on(Task<T> task) {
        std::optional<T> result;
        run_until_done(detail::store(std::move(task), &result));
        CHECK(result.has_value(), "the loop ran until the task had ended");
        return *std::move(result);
    }
    void block_on(Task<void> task) { run_until_done(std::move(task)); }

  private:
    void run_until_done(Task<void> task);
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace penstock::io
