// SPDX-License-Identifier: Apache-2.0
#include "io/task_group.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <list>
#include <vector>

#include "base/check.h"
#include "io/event.h"

namespace penstock::io {
namespace asio = boost::asio;
namespace {

std::string describe(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const std::exception& exception) {
        return is_cancelled(exception) ? std::string() : std::string(exception.what());
    } catch (...) {
        return "an exception of unknown type";
    }
}

}  // namespace

struct TaskGroup::State {
    State(Executor executor_given, std::string name_given)
        : executor(std::move(executor_given)), name(std::move(name_given)), ended(executor) {}

    struct Running {
        void cancel() {
            cancelled = true;
            signal.emit(asio::cancellation_type::terminal);
        }
        asio::cancellation_signal signal;
        bool cancelled = false;  // before it has started it hears no signal
    };
    using Place = std::list<std::shared_ptr<Running>>::iterator;
    Executor executor;
    std::string name;
    std::list<std::shared_ptr<Running>> running;
    Event ended;
    bool closing = false;

    Place add() { return running.insert(running.end(), std::make_shared<Running>()); }
    static void start(const std::shared_ptr<State>& state, Place place, Task<void> task) {
        asio::co_spawn(
            state->executor, std::move(task),
            asio::bind_cancellation_slot(
                (*place)->signal.slot(),
                [state, place](const std::exception_ptr& error) { state->finish(place, error); }
            )
        );
    }
    void finish(Place task, const std::exception_ptr& error) {
        running.erase(task);
        if (error) {
            const std::string text = describe(error);
            CHECK(
                text.empty(),
                "no exception leaves a task of group '" + name + "', but this did: " + text
            );
        }
        if (running.empty()) ended.notify_all();
    }
};

TaskGroup::TaskGroup(Executor executor, std::string name)
    : state_(std::make_shared<State>(std::move(executor), std::move(name))) {}

TaskGroup::~TaskGroup() {
    CHECK(
        state_->running.empty(), "group '" + state_->name + "' was closed before its destruction"
    );
}

void TaskGroup::Canceller::cancel() const {
    if (const auto task = std::static_pointer_cast<State::Running>(signal_.lock())) task->cancel();
}

TaskGroup::Canceller TaskGroup::spawn(Task<void> task) {
    if (state_->closing) return {};
    const State::Place place = state_->add();
    // A coroutine that waited for its start would be kept as long as the task.
    asio::post(state_->executor, [state = state_, place, task = std::move(task)]() mutable {
        if ((*place)->cancelled) {
            {
                const Task<void> dropped = std::move(task);
            }
            return state->finish(place, nullptr);
        }
        State::start(state, place, std::move(task));
    });
    return Canceller(*place);
}

void TaskGroup::spawn_now(Task<void> task, const std::function<void(Canceller)>& begun) {
    if (state_->closing) return;
    const State::Place place = state_->add();
    begun(Canceller(*place));
    State::start(state_, place, std::move(task));
}

void TaskGroup::cancel() {
    // Copied, since a task may end, and leave the list, while others are being told.
    const std::vector<std::shared_ptr<State::Running>> tasks(
        state_->running.begin(), state_->running.end()
    );
    for (const auto& task : tasks) task->cancel();
}

Task<void> TaskGroup::close() {
    const std::shared_ptr<State> state = state_;
    state->closing = true;
    cancel();
    const bool unwinds = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    // A task whose cancellation came before its first wait, or who waits for threads, ends a little
    // later.
    while (!state->running.empty()) co_await state->ended.wait();
    co_await asio::this_coro::throw_if_cancelled(unwinds);
}

Task<bool> TaskGroup::drain(Deadline deadline) {
    const std::shared_ptr<State> state = state_;
    while (!state->running.empty())
        if (!co_await state->ended.wait(deadline)) co_return state->running.empty();
    co_return true;
}

std::size_t TaskGroup::size() const { return state_->running.size(); }

Task<void> with_group(std::string name, std::move_only_function<Task<void>(TaskGroup*)> body) {
    TaskGroup group(co_await asio::this_coro::executor, std::move(name));
    std::exception_ptr failure;
    try {
        co_await body(&group);
    } catch (...) {
        failure = std::current_exception();
    }
    const bool unwinds = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    co_await group.close();
    co_await asio::this_coro::throw_if_cancelled(unwinds);
    if (failure) std::rethrow_exception(failure);
}

}  // namespace penstock::io
