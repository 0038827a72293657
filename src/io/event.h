// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "io/task.h"

namespace penstock::io {

// A condition on which tasks of one executor wait; it has no memory, so test the condition in a
// loop:
//     while (queue.empty()) co_await changed.wait();
class Event {
  public:
    explicit Event(Executor executor) : executor_(std::move(executor)) {}
    // CHECKs that nobody waits.
    ~Event();
    Event(const Event&) = delete;
    Event& operator=(const Event&) = delete;

    void notify_all();
    void notify_one();
    // True: notified. False: the deadline passed.
    Task<bool> wait(Deadline deadline = Deadline::none());
    std::size_t waiting() const;

  private:
    struct Waiter;
    Executor executor_;
    Waiter* first_ = nullptr;  // oldest first, linked through the waiters' own frames
    Waiter* last_ = nullptr;
};

}  // namespace penstock::io
