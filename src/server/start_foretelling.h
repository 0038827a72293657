// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>

#include "scheduler/start_record.h"
#include "server/platform.h"

namespace penstock::server {

constexpr std::size_t kForetoldMax = 256;  // items that wait and were foretold
constexpr std::size_t kForetoldAheadMax =
    32;  // behind more of them none is foretold, only on demand

// When an item of the queue may start, as far as earlier runs tell; not corrected. `order` ends
// with it and begins with those before it.
scheduler::WaitQuantiles wait_of(
    const Platform& platform, const std::vector<tasks::Waiting>& order
);
// Items that would be taken before the first of `task`, and that; empty where it is not in the
// queue.
std::vector<tasks::Waiting> queue_before(const Platform& platform, const Task& task);

// Foretells starts of waiting tasks by itself, one at a tick, to learn how estimates come true.
// What it learned is lost with the process. The state owner's executor only.
class StartForetelling {
  public:
    void tick(const Platform& platform);
    const scheduler::StartRecord& record() const { return record_; }

  private:
    struct Foretold {
        Duration wait{};
        Time at;
    };
    void learn(const Platform& platform);

    scheduler::StartRecord record_;
    std::map<TaskId, std::optional<Foretold>> open_;  // absent: no wait was to be expected
};

}  // namespace penstock::server
