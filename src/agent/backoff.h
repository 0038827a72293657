// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>

#include "base/random.h"
#include "base/time.h"

namespace penstock::agent {

// Waits between tries: a uniform part of min(first × 2ⁿ, longest), so that agents that lost a
// server together do not come back together.
class Backoff {
  public:
    Backoff(Duration first, Duration longest) : first_(first), longest_(longest), ceiling_(first) {}
    Duration next(Random& random) {
        const Duration ceiling = ceiling_;
        ceiling_ = std::min(longest_, ceiling_ * 2);
        return Duration(
            static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(ceiling.count()) + 1))
        );
    }
    void reset() { ceiling_ = first_; }

  private:
    Duration first_;
    Duration longest_;
    Duration ceiling_;
};

}  // namespace penstock::agent
