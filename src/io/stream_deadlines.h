// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/execution_context.hpp>
#include <cstddef>

#include "io/await.h"
#include "io/deadline.h"
#include "io/task.h"

namespace penstock::io {

// Ends operations of streams whose time is over. One per io_context, found through its services. A
// timer for each operation would cost two allocations and a heap update per read; here setting a
// deadline is a store, and one timer walks the list when the earliest may have passed.
class StreamDeadlines final : public boost::asio::execution_context::service {
  public:
    using key_type = StreamDeadlines;
    static inline boost::asio::execution_context::id id;
    using Point = Deadline::Point;

    // What is watched; it leaves the list when it is destroyed.
    class Entry {
      public:
        Entry() = default;
        Entry(const Entry&) = delete;
        Entry& operator=(const Entry&) = delete;
        virtual ~Entry();

        void join(StreamDeadlines& deadlines);
        void set_read(Deadline deadline);
        void set_write(Deadline deadline);
        bool read_expired = false;
        bool write_expired = false;

      private:
        friend class StreamDeadlines;
        // Cancels all operations; the owner repeats those that were not meant.
        virtual void expire() = 0;
        StreamDeadlines* deadlines_ = nullptr;
        Entry* previous_ = nullptr;
        Entry* next_ = nullptr;
        Point read_ = Point::max();
        Point write_ = Point::max();
    };

    explicit StreamDeadlines(boost::asio::execution_context& context);
    static StreamDeadlines& of(const Executor& executor);

  private:
    void shutdown() override;
    void arm(Point point);
    void schedule(Point point);
    void sweep();

    Timer timer_;
    Entry* first_ = nullptr;
    std::size_t size_ = 0;
    Point next_sweep_ = Point::max();
};

}  // namespace penstock::io
