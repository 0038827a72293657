// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "agent/attempt_record.h"

namespace penstock::agent {

// CLOCK_BOOTTIME: runs on while the host sleeps and over restarts of the agent, never back. What
// runs is metered on it.
class BootClock {
  public:
    BootClock();
    BootInstant now() const;
    std::int64_t now_ms() const;

  private:
    std::string boot_id_;
};

}  // namespace penstock::agent
