// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "base/check.h"
#include "io/task.h"

namespace penstock::io {

// Threads for what would block a Runtime: disk, hashing, SQL. The system wakes none of them before
// the loop (SCHED_BATCH): nobody waits for them as for it. Work that is queued when the pool is
// destroyed still runs; the destructor waits for it.
class Pool {
  public:
    static constexpr std::size_t kQueueMax = 4096;

    explicit Pool(std::size_t threads);
    ~Pool();
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;

    // Runs `function` on a thread of the pool and returns its result on the caller's executor. It
    // must not throw: CHECK. It is not interrupted when the caller is cancelled: the caller waits
    // for it. Jobs that wait for a thread are as many as their callers.
    template <class Function>
    Task<std::invoke_result_t<Function>> run(Function function) {
        using R = std::invoke_result_t<Function>;
        if constexpr (std::is_void_v<R>) {
            co_await submit([&function] { function(); });
        } else {
            std::optional<R> result;
            co_await submit([&result, &function] { result.emplace(function()); });
            CHECK(result.has_value(), "a job that was submitted has run");
            co_return *std::move(result);
        }
    }
    // Nobody waits for it. False when kQueueMax jobs wait already.
    [[nodiscard]] bool post(std::move_only_function<void()> function);

  private:
    Task<void> submit(std::move_only_function<void()> function);
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace penstock::io
