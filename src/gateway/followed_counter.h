// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <utility>

#include "telemetry/metrics.h"

namespace penstock::gateway {

// A counter whose value somebody else keeps, from zero on. The registry may outlive who keeps it.
class FollowedCounter {
  public:
    explicit FollowedCounter(telemetry::Counter& counter) : counter_(counter) {}
    void reach(std::uint64_t value) { counter_.add(value - std::exchange(seen_, value)); }

  private:
    telemetry::Counter& counter_;
    std::uint64_t seen_ = 0;
};

}  // namespace penstock::gateway
