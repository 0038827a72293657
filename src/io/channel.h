// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <utility>

#include "io/event.h"

namespace penstock::io {

// A bounded queue between tasks of one executor. At capacity try_push() refuses and push() waits.
template <class T>
class Channel {
  public:
    Channel(Executor executor, std::size_t capacity)
        : capacity_(capacity), filled_(executor), freed_(executor) {}

    // False when full or closed; the value is then untouched.
    bool try_push(T&& value) {
        if (closed_ || queue_.size() >= capacity_) return false;
        queue_.push_back(std::move(value));
        filled_.notify_one();
        return true;
    }
    bool try_push(const T& value) { return try_push(T(value)); }

    // False when the channel was closed.
    Task<bool> push(T value) {
        while (!try_push(std::move(value))) {
            if (closed_) co_return false;
            co_await freed_.wait();
        }
        co_return true;
    }

    // Nothing when closed and empty, or when the deadline passed.
    Task<std::optional<T>> pop(Deadline deadline = Deadline::none()) {
        while (queue_.empty()) {
            if (closed_) co_return std::nullopt;
            if (!co_await filled_.wait(deadline)) co_return std::nullopt;
        }
        co_return try_pop();
    }
    std::optional<T> try_pop() {
        if (queue_.empty()) return std::nullopt;
        std::optional<T> value(std::move(queue_.front()));
        queue_.pop_front();
        freed_.notify_one();
        // A wake-up may have gone to a task that was cancelled meanwhile: hand it on.
        if (!queue_.empty()) filled_.notify_one();
        return value;
    }

    // What is queued can still be popped.
    void close() {
        closed_ = true;
        filled_.notify_all();
        freed_.notify_all();
    }
    bool closed() const { return closed_; }
    std::size_t size() const { return queue_.size(); }

  private:
    std::size_t capacity_;
    std::deque<T> queue_;
    bool closed_ = false;
    Event filled_;
    Event freed_;
};

}  // namespace penstock::io
