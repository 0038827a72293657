// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/event.h"
#include "model/task.h"

namespace penstock::server {

constexpr std::size_t kRecentEventsMax = 100'000;  // older ones are read from the store

// Numbers events and keeps the recent ones for watchers. Only durable events are published.
class EventLog {
  public:
    EventLog(const io::Executor& executor, std::int64_t last_cursor)
        : changed_(executor), next_(last_cursor + 1), floor_(next_) {}
    std::int64_t take_cursor() { return next_++; }
    void publish(Event event);
    void restore(Event event);
    // After the last restore(): the store's newest event bears `last`.
    void go_on_after(std::int64_t last) {
        next_ = last + 1;
        if (recent_.empty()) floor_ = next_;
    }

    // Published events after `cursor`, oldest first. `from_store` is set when some before them are
    // only in the store.
    struct Slice {
        std::vector<Event> events;
        bool from_store = false;
        std::int64_t last = 0;  // the newest cursor looked at: where to go on
    };
    Slice after(
        std::int64_t cursor, const std::function<bool(const Event&)>& accept, std::size_t limit
    ) const;
    std::int64_t last_published() const {
        return recent_.empty() ? floor_ - 1 : recent_.back().cursor;
    }
    io::Task<bool> wait(io::Deadline deadline) { return changed_.wait(deadline); }
    // Lets every watcher look again.
    void wake() { changed_.notify_all(); }

  private:
    io::Event changed_;
    std::int64_t next_;
    std::int64_t floor_;  // the oldest cursor kept here
    std::deque<Event> recent_;
};

}  // namespace penstock::server
