// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <chrono>
#include <compare>

#include "base/time.h"

namespace penstock::io {

// A point on the monotonic clock by which something must be done. It is passed down unchanged, so
// that every step of a request shares one budget. Default constructed: none.
class Deadline {
  public:
    using Point = std::chrono::steady_clock::time_point;

    constexpr Deadline() = default;
    static constexpr Deadline none() { return {}; }
    static constexpr Deadline at(Point point) { return Deadline(point); }
    static Deadline after(Duration span) {
        const Point now = std::chrono::steady_clock::now();
        // Compared in microseconds: the longest Duration does not fit the clock's nanoseconds.
        const auto left = std::chrono::duration_cast<Duration>(Point::max() - now);
        return span >= left ? none() : Deadline(now + span);
    }

    constexpr bool is_none() const { return point_ == Point::max(); }
    bool passed() const { return !is_none() && std::chrono::steady_clock::now() >= point_; }
    // Never negative; Duration::max() when there is none.
    Duration remaining() const {
        if (is_none()) return Duration::max();
        const auto left = point_ - std::chrono::steady_clock::now();
        return std::max(Duration{0}, std::chrono::ceil<Duration>(left));
    }
    constexpr Point point() const { return point_; }
    constexpr auto operator<=>(const Deadline&) const = default;

  private:
    constexpr explicit Deadline(Point point) : point_(point) {}
    Point point_ = Point::max();
};

// The earlier of the two.
constexpr Deadline earlier(Deadline a, Deadline b) { return a < b ? a : b; }

}  // namespace penstock::io
