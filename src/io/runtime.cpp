// SPDX-License-Identifier: Apache-2.0
#include "io/runtime.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <exception>

#include "base/check.h"
#include "io/stream_deadlines.h"
#include "io/turn_end.h"

namespace penstock::io {
namespace asio = boost::asio;

struct Runtime::State {
    // Sockets and timers are used on the loop's thread alone, so their operations need no locks;
    // what other threads post is locked.
    asio::io_context context{BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO};
    std::optional<asio::signal_set> signals;
    std::function<void(int)> on_signal;

    // A service is looked for from the one that was made last on, each time that something of it is
    // made: what comes with every connection is made last.
    State() {
        asio::ip::tcp::resolver{context};
        asio::signal_set{context};
        asio::local::stream_protocol::socket{context};
        asio::steady_timer{context};
        StreamDeadlines::of(context.get_executor());
        asio::ip::tcp::socket{context};
        TurnEnd::of(context.get_executor());
    }

    void wait_for_signal() {
        signals->async_wait([this](boost::system::error_code error, int number) {
            if (error) return;
            on_signal(number);
            wait_for_signal();
        });
    }
};

namespace {

// Runs one turn of `turn`; what is thrown by a handler has no owner, so it is a defect.
template <class Turn>
void guarded(Turn turn) {
    try {
        turn();
    } catch (const std::exception& error) {
        CHECK(
            false,
            std::string("no exception leaves a posted function, but this did: ") + error.what()
        );
    }
}

}  // namespace

Runtime::Runtime() : state_(std::make_unique<State>()) {}
Runtime::~Runtime() = default;

Executor Runtime::executor() { return state_->context.get_executor(); }

void Runtime::run() {
    const auto work = asio::make_work_guard(state_->context);
    guarded([&] { state_->context.run(); });
    state_->context.restart();
}

void Runtime::stop() { state_->context.stop(); }

void Runtime::post(std::move_only_function<void()> function) {
    asio::post(state_->context, std::move(function));
}

void Runtime::on_signal(std::function<void(int)> handler) {
    CHECK(!state_->signals, "one signal handler per process");
    state_->on_signal = std::move(handler);
    state_->signals.emplace(state_->context, SIGINT, SIGTERM);
    state_->wait_for_signal();
}

void Runtime::run_until_done(Task<void> task) {
    bool done = false;
    std::exception_ptr failure;
    asio::co_spawn(state_->context, std::move(task), [&](std::exception_ptr error) {
        failure = std::move(error);
        done = true;
    });
    const auto work = asio::make_work_guard(state_->context);
    guarded([&] {
        while (!done) {
            // stop() is for run(): a task that is waited for must end by itself.
            if (state_->context.stopped()) state_->context.restart();
            state_->context.run_one();
        }
    });
    if (failure) std::rethrow_exception(failure);
}

}  // namespace penstock::io
