// SPDX-License-Identifier: Apache-2.0
#include "io/stream_deadlines.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/query.hpp>

#include "io/stream.h"

namespace penstock::io {
namespace asio = boost::asio;
namespace {
// With many streams the walks are spread: at most one per this much for each stream.
constexpr Duration kSweepPerStream = 10us;
}  // namespace

StreamDeadlines::Entry::~Entry() {
    if (deadlines_ == nullptr) return;
    (previous_ != nullptr ? previous_->next_ : deadlines_->first_) = next_;
    if (next_ != nullptr) next_->previous_ = previous_;
    --deadlines_->size_;
}

void StreamDeadlines::Entry::join(StreamDeadlines& deadlines) {
    deadlines_ = &deadlines;
    next_ = deadlines.first_;
    if (next_ != nullptr) next_->previous_ = this;
    deadlines.first_ = this;
    ++deadlines.size_;
}

void StreamDeadlines::Entry::set_read(Deadline deadline) {
    read_ = deadline.point();
    read_expired = false;
    deadlines_->arm(read_);
}

void StreamDeadlines::Entry::set_write(Deadline deadline) {
    write_ = deadline.point();
    write_expired = false;
    deadlines_->arm(write_);
}

StreamDeadlines::StreamDeadlines(asio::execution_context& context)
    : service(context), timer_(static_cast<asio::io_context&>(context)) {}

StreamDeadlines& StreamDeadlines::of(const Executor& executor) {
    asio::execution_context& context = asio::query(executor, asio::execution::context);
    return asio::use_service<StreamDeadlines>(context);
}

void StreamDeadlines::shutdown() { timer_.cancel(); }

void StreamDeadlines::arm(Point point) {
    if (point < next_sweep_) schedule(point);
}

void StreamDeadlines::schedule(Point point) {
    const Duration grain =
        std::max(Stream::kDeadlineGrain, kSweepPerStream * static_cast<std::int64_t>(size_));
    const Point soonest = std::chrono::steady_clock::now() + grain;
    next_sweep_ = std::max(point, soonest);
    timer_.expires_at(next_sweep_);
    timer_.async_wait([this](boost::system::error_code error) {
        if (!error) sweep();
    });
}

void StreamDeadlines::sweep() {
    const Point now = std::chrono::steady_clock::now();
    Point earliest = Point::max();
    for (Entry* entry = first_; entry != nullptr; entry = entry->next_) {
        entry->read_expired = entry->read_expired || entry->read_ <= now;
        entry->write_expired = entry->write_expired || entry->write_ <= now;
        if (entry->read_ <= now || entry->write_ <= now) {
            // Told again at the next sweep if the operation had not started when it was cancelled.
            entry->expire();
            earliest = now;
        } else {
            earliest = std::min({earliest, entry->read_, entry->write_});
        }
    }
    next_sweep_ = Point::max();
    if (earliest != Point::max()) schedule(earliest);
}

}  // namespace penstock::io
