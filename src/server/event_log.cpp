// SPDX-License-Identifier: Apache-2.0
#include "server/event_log.h"

#include <algorithm>

namespace penstock::server {

void EventLog::publish(Event event) {
    restore(std::move(event));
    changed_.notify_all();
}

void EventLog::restore(Event event) {
    if (recent_.empty()) floor_ = event.cursor;
    recent_.push_back(std::move(event));
    if (recent_.size() > kRecentEventsMax) {
        recent_.pop_front();
        floor_ = recent_.front().cursor;
    }
}

EventLog::Slice EventLog::after(
    std::int64_t cursor, const std::function<bool(const Event&)>& accept, std::size_t limit
) const {
    Slice slice{.from_store = cursor + 1 < floor_ && floor_ > 1, .last = cursor};
    auto at = std::ranges::upper_bound(recent_, cursor, {}, &Event::cursor);
    for (; at != recent_.end() && slice.events.size() < limit; ++at) {
        slice.last = at->cursor;
        if (accept(*at)) slice.events.push_back(*at);
    }
    return slice;
}

}  // namespace penstock::server
