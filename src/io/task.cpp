// SPDX-License-Identifier: Apache-2.0
#include "io/task.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "io/await.h"

namespace penstock::io {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using boost::system::system_error;

constexpr asio::use_awaitable_t<Executor> kAwaitable;

bool is_cancelled(const std::exception_ptr& error) {
    if (!error) return false;
    try {
        std::rethrow_exception(error);
    } catch (const std::exception& exception) {
        return io::is_cancelled(exception);
    } catch (...) {
        return false;
    }
}

}  // namespace

bool is_cancelled(const std::exception& error) {
    const auto* system = dynamic_cast<const system_error*>(&error);
    return system != nullptr && system->code() == asio::error::operation_aborted;
}

Task<void> sleep_until(Deadline deadline) {
    Timer timer(co_await asio::this_coro::executor, deadline.point());
    co_await timer.async_wait(asio::deferred);
}

Task<void> sleep_for(Duration span) { return sleep_until(Deadline::after(span)); }

// Awaiting any task does it.
Task<void> unwind_if_cancelled() { co_return; }

Task<void> yield_now() { co_await asio::post(co_await asio::this_coro::executor, asio::deferred); }

namespace detail {

Task<bool> run_until(Task<void> body, Deadline deadline) {
    const Executor executor = co_await asio::this_coro::executor;
    Timer timer(executor, deadline.point());
    auto [order, body_error, timer_error] =
        co_await asio::experimental::make_parallel_group(
            asio::co_spawn(executor, std::move(body), asio::deferred),
            timer.async_wait(asio::deferred)
        )
            .async_wait(asio::experimental::wait_for_one(), kAwaitable);
    const bool passed = order[0] == 1 && !timer_error;
    // Cancelled by the deadline is an answer; by anybody else it goes on unwinding.
    if (body_error && !(passed && is_cancelled(body_error))) std::rethrow_exception(body_error);
    co_return !passed;
}

Task<bool> run_first(Task<void> body, Task<void> other) {
    const Executor executor = co_await asio::this_coro::executor;
    auto [order, body_error, other_error] =
        co_await asio::experimental::make_parallel_group(
            asio::co_spawn(executor, std::move(body), asio::deferred),
            asio::co_spawn(executor, std::move(other), asio::deferred)
        )
            .async_wait(asio::experimental::wait_for_one(), kAwaitable);
    const bool lost = order[0] == 1 && !is_cancelled(other_error);
    if (other_error && !is_cancelled(other_error)) std::rethrow_exception(other_error);
    if (body_error && !(lost && is_cancelled(body_error))) std::rethrow_exception(body_error);
    co_return !lost;
}

}  // namespace detail
}  // namespace penstock::io
