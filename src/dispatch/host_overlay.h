// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "dispatch/host.h"
#include "dispatch/pool.h"
#include "scheduler/reclaim.h"

namespace penstock::dispatch {

// A host as it would be, to the device: a resident's id is the index of its attempt in `attempts`.
// Host, attempts and pool outlive it. Fragments are weighed as the pool weighs them.
class HostOverlay final : public scheduler::NodeOverlay {
  public:
    HostOverlay(const Host& host, const std::vector<AttemptId>& attempts, const Pool& pool);
    void leave(const scheduler::Resident& resident) override;
    void stay(const scheduler::Resident& resident) override;
    void take(const ResourceRequest& request) override;
    bool fits(const ResourceRequest& request) const override;
    std::int64_t fragments_grown(const ResourceRequest& request) const override;

  private:
    void hold(const fleet::CapacityHold& hold, std::int64_t sign);

    const Host& host_;
    const std::vector<AttemptId>& attempts_;
    const Pool& pool_;
    std::int64_t cpu_free_;
    std::int64_t memory_free_;
    DeviceSlots slots_;
};

}  // namespace penstock::dispatch
