// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

#include "base/time.h"
#include "http/client.h"
#include "telemetry/metrics.h"

namespace penstock::gateway {

// Streams whose clients have left and that are read on, since their engines bill them to the end:
// only the end tells how much. So many at one time, for so long and so many bytes each, and not
// beyond the call's own deadline.
class LeftStreams {
  public:
    static constexpr std::int64_t kAtOnceMax = 64;
    static constexpr std::size_t kBytesMax = 4UL * 1024 * 1024;
    static constexpr Duration kReadFor = 60s;

    explicit LeftStreams(telemetry::Registry& registry);

    // What the bytes that came were.
    enum class Came { more, end, nonsense };
    // Hands what comes to `take` until that has seen the end. False: a bound was met before it, or
    // the stream broke off.
    io::Task<bool> read_to_end(
        http::ResponseStream* stream, io::Deadline deadline,
        std::function<Came(std::string_view)> take
    );
    std::int64_t reading() const { return reading_; }

  private:
    io::Task<bool> read(
        http::ResponseStream* stream, io::Deadline deadline,
        const std::function<Came(std::string_view)>* take
    );

    std::int64_t reading_ = 0;
    telemetry::Gauge& open_;
    telemetry::Counter& whole_;
    telemetry::Counter& cut_;
    telemetry::Counter& refused_;  // too many at one time
};

}  // namespace penstock::gateway
