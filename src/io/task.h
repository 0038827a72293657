// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>
#include <optional>
#include <utility>

#include "base/result.h"
#include "io/deadline.h"

namespace penstock::io {

// Of a Runtime. Named for what it is: a type that can hold any executor costs every operation
// several calls through a table.
using Executor = boost::asio::io_context::executor_type;

// A coroutine on the one thread of a Runtime. It does nothing until it is awaited or spawned into a
// TaskGroup. Functions that do I/O return Task<Result<T>>; failures are values, never exceptions.
//
// Cancellation (a closed TaskGroup, a passed deadline, a lost race) is the one thing that unwinds:
// the operation being awaited ends at once, and the next co_await of that task throws
// CancelledError. Let it pass: destructors clean up, and TaskGroup, with_deadline and race absorb
// it. Code that catches std::exception around a co_await must rethrow when is_cancelled(error).
//
// Parameters of a Task are taken by value or by pointer, and a lambda that is itself a coroutine
// has no captures: both would be read after they are gone.
template <class T = void>
using Task = boost::asio::awaitable<T, Executor>;

bool is_cancelled(const std::exception& error);

// Ends early (by unwinding) when the task is cancelled.
Task<void> sleep_for(Duration span);
Task<void> sleep_until(Deadline deadline);
// Unwinds a task that was cancelled while it did something that ends with an error of its own then.
Task<void> unwind_if_cancelled();
// Lets every other ready task run once.
Task<void> yield_now();

namespace detail {
// True: `body` ended by itself. False: the deadline passed, and `body` was cancelled and has ended.
Task<bool> run_until(Task<void> body, Deadline deadline);
// True: `body` ended first. The other one was cancelled and has ended when this returns.
Task<bool> run_first(Task<void> body, Task<void> other);

template <class T>
Task<void> store(Task<T> task, std::optional<T>* out) {
    out->emplace(co_await std::move(task));
}
}  // namespace detail

// The result of `task`, or deadline_exceeded. `task` has ended in either case.
template <class T>
Task<Result<T>> with_deadline(Task<Result<T>> task, Deadline deadline) {
    if (deadline.is_none()) co_return co_await std::move(task);
    std::optional<Result<T>> result;
    co_await detail::run_until(detail::store(std::move(task), &result), deadline);
    if (result) co_return *std::move(result);
    co_return fail(ErrorCode::deadline_exceeded, "the deadline passed before an answer came");
}

// The result of `task`, or nothing when `other` ended first; for "until the client has gone". A
// result that was ready is kept although `other` ended too.
template <class T>
Task<std::optional<T>> race(Task<T> task, Task<void> other) {
    std::optional<T> result;
    co_await detail::run_first(detail::store(std::move(task), &result), std::move(other));
    co_return result;
}

// The task goes on as if it had not been cancelled: for whoever caused it, and has caught it.
//     try { … co_await std::move(task) … } catch (…) { if (!ours || !is_cancelled(error)) throw; }
//     if (ours) co_await forget_cancellation();
inline auto forget_cancellation() { return boost::asio::this_coro::reset_cancellation_state(); }

}  // namespace penstock::io
