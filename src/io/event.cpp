// SPDX-License-Identifier: Apache-2.0
#include "io/event.h"

#include <boost/asio/this_coro.hpp>

#include "base/check.h"
#include "io/await.h"

namespace penstock::io {
namespace asio = boost::asio;

// Lives in the frame of the waiting coroutine, so it leaves the list also when that is destroyed.
struct Event::Waiter {
    Waiter(Event& owner, Deadline deadline)
        : event(&owner), timer(owner.executor_, deadline.point()), previous(owner.last_) {
        (previous != nullptr ? previous->next : owner.first_) = this;
        owner.last_ = this;
    }
    ~Waiter() { unlink(); }
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;

    void unlink() {
        if (event == nullptr) return;
        (previous != nullptr ? previous->next : event->first_) = next;
        (next != nullptr ? next->previous : event->last_) = previous;
        event = nullptr;
    }
    void notify() {
        unlink();
        notified = true;
        timer.cancel();
    }

    Event* event;
    Timer timer;
    bool notified = false;
    Waiter* previous;
    Waiter* next = nullptr;
};

Event::~Event() { CHECK(first_ == nullptr, "nobody waits for an event that goes away"); }

void Event::notify_all() {
    // Woken tasks run later, so none can join the list in between.
    while (first_ != nullptr) first_->notify();
}

void Event::notify_one() {
    if (first_ != nullptr) first_->notify();
}

Task<bool> Event::wait(Deadline deadline) {
    Waiter waiter(*this, deadline);
    const auto [error] = co_await waiter.timer.async_wait(kAwait);
    if (waiter.notified) co_return true;
    const bool unwinds = co_await asio::this_coro::throw_if_cancelled();
    if (error && unwinds) throw boost::system::system_error(error);
    co_return false;
}

std::size_t Event::waiting() const {
    std::size_t count = 0;
    for (const Waiter* waiter = first_; waiter != nullptr; waiter = waiter->next) ++count;
    return count;
}

}  // namespace penstock::io
