// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <vector>

#include "dispatch/host.h"
#include "dispatch/leavable.h"
#include "dispatch/pool.h"
#include "scheduler/reclaim.h"

namespace penstock::dispatch {

// Of the residents of one place; places are numbered. The number of a resident says which hold of
// which place it is.
constexpr int kPlaceShift = 32;
inline std::uint64_t resident_id(std::size_t place, std::size_t hold) {
    return (std::uint64_t{place} << kPlaceShift) | hold;
}
inline std::size_t place_of(std::uint64_t resident) { return resident >> kPlaceShift; }
inline std::size_t hold_of(std::uint64_t resident) {
    return resident & ((std::uint64_t{1} << kPlaceShift) - 1);
}

// A host as it would be, to the device. All it is made from outlives it.
class HostOverlay final : public scheduler::NodeOverlay {
  public:
    // Fragments are weighed as the pool of the place weighs them; it is asked for only then.
    using PoolOf = std::function<const Pool&(std::size_t place)>;
    HostOverlay(
        const Host& host, std::size_t place, const Leavable& leavable, const PoolOf& pool_of
    );
    std::span<const scheduler::Resident> residents() const override { return residents_; }
    void leave(const scheduler::Resident& resident) override;
    void stay(const scheduler::Resident& resident) override;
    void take(const ResourceRequest& request) override;
    bool fits(const ResourceRequest& request) const override;
    std::int64_t fragments_grown(const ResourceRequest& request) const override;

  private:
    void hold(const fleet::CapacityHold& hold, std::int64_t sign);

    const Host& host_;
    std::size_t place_;
    const PoolOf& pool_of_;
    std::int64_t cpu_free_;
    std::int64_t memory_free_;
    DeviceSlots slots_;
    std::vector<scheduler::Resident> residents_;
};

}  // namespace penstock::dispatch
