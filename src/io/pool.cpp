// SPDX-License-Identifier: Apache-2.0
#include "io/pool.h"

#include <sched.h>

#include <atomic>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>

#include "base/check.h"

namespace penstock::io {
namespace asio = boost::asio;
namespace {

// Of the thread that calls: it runs when others on its core do not, and is never woken before
// them. A loop would else stop for a job that nobody waits for. Where the system does not allow it,
// it does.
void let_others_go_first() {
    static thread_local const bool asked = [] {
        const sched_param none{};
        return ::sched_setscheduler(0, SCHED_BATCH, &none) == 0;
    }();
    (void)asked;
}

void call(std::move_only_function<void()>& function) {
    let_others_go_first();
    try {
        function();
    } catch (const std::exception& error) {
        CHECK(
            false, std::string("a job of the pool returns its failures, but this was thrown: ") +
                       error.what()
        );
    }
}

}  // namespace

struct Pool::State {
    explicit State(std::size_t threads) : pool(threads) {}
    asio::thread_pool pool;
    std::atomic<std::size_t> posted = 0;
};

Pool::Pool(std::size_t threads) : state_(std::make_unique<State>(threads)) {
    CHECK(threads > 0, "a pool has threads");
}
Pool::~Pool() { state_->pool.join(); }

bool Pool::post(std::move_only_function<void()> function) {
    if (state_->posted.fetch_add(1) >= kQueueMax) {
        state_->posted.fetch_sub(1);
        return false;
    }
    asio::post(state_->pool, [state = state_.get(), job = std::move(function)]() mutable {
        state->posted.fetch_sub(1);
        call(job);
    });
    return true;
}

Task<void> Pool::submit(std::move_only_function<void()> function) {
    // No cancellation slot is used: the job refers to the caller's frame, which must wait for it.
    co_await asio::async_initiate<const asio::use_awaitable_t<Executor>&, void()>(
        [this](auto handler, std::move_only_function<void()> job) {
            asio::post(
                state_->pool,
                [handler = std::move(handler), job = std::move(job)]() mutable {
                    call(job);
                    const auto executor = asio::get_associated_executor(handler);
                    asio::post(executor, std::move(handler));
                }
            );
        },
        asio::use_awaitable_t<Executor>(), std::move(function)
    );
}

}  // namespace penstock::io
