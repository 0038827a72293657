// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/deferred.hpp>
#include <chrono>

#include "io/task.h"

namespace penstock::io {

// How an operation of Asio is awaited: `auto [error, size] = co_await socket.async_…(…, kAwait);`.
// Unlike use_awaitable it makes no coroutine of its own for each operation.
inline constexpr auto kAwait = boost::asio::as_tuple(boost::asio::deferred);

using Timer = boost::asio::basic_waitable_timer<
    std::chrono::steady_clock, boost::asio::wait_traits<std::chrono::steady_clock>, Executor>;

}  // namespace penstock::io
