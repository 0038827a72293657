// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace penstock {

// Instants are UTC wall-clock microseconds; spans are microseconds. Cores are given `Time now`.
using Duration = std::chrono::microseconds;
using Time = std::chrono::sys_time<Duration>;
using std::chrono_literals::operator""s;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""us;
using std::chrono_literals::operator""min;
using std::chrono_literals::operator""h;

// The seam to the outside's time. Shells own one; pure cores never see it.
class Clock {
  public:
    virtual ~Clock() = default;
    virtual Time now() const = 0;
    // Never runs back, unrelated to wall time; for measuring spans.
    virtual Duration monotonic() const = 0;
};

class SystemClock final : public Clock {
  public:
    Time now() const override;
    Duration monotonic() const override;
};

// For tests: stands still until moved.
class ManualClock final : public Clock {
  public:
    explicit ManualClock(Time start) : now_(start) {}
    Time now() const override { return now_; }
    Duration monotonic() const override { return monotonic_; }
    void advance(Duration by) {
        now_ += by;
        monotonic_ += by;
    }
    void jump_wall_clock(Duration by) { now_ += by; }

  private:
    Time now_;
    Duration monotonic_{};
};

// "2026-11-24T19:52:53.000001Z"; fractions only where they are not zero, always UTC.
std::string to_rfc3339(Time time);
// Accepts any offset ("…+08:00"); a time without an offset is refused.
Result<Time> parse_rfc3339(std::string_view text);

// "90s", "10m", "2h", "7d", "1h30m", "250ms"; a bare number is refused, so is a negative one.
Result<Duration> parse_duration(std::string_view text);
// The shortest text that parse_duration reads back to the same value: "1h30m", "250ms", "0s".
std::string to_string(Duration duration);

constexpr std::int64_t to_ms(Duration duration) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}
constexpr double to_seconds(Duration duration) {
    return std::chrono::duration<double>(duration).count();
}

}  // namespace penstock
