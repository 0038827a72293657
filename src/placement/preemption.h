// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "placement/fragmentation.h"
#include "placement/gang.h"

namespace penstock::placement {

// A placed task that may have to give way.
struct Resident {
    Placement placement;
    std::int32_t priority = 0;      // higher is more important
    std::int64_t seconds_lost = 0;  // since its last checkpoint
};
using ResidentId = std::uint32_t;

// Who runs where. Ids are reused after remove().
class Residents {
  public:
    explicit Residents(std::size_t nodes) : by_node_(nodes) {}
    ResidentId add(const Resident& resident);
    void remove(ResidentId id);
    const Resident& at(ResidentId id) const { return residents_[id]; }
    const std::vector<ResidentId>& on(NodeIndex node) const { return by_node_[node]; }
    std::size_t size() const { return residents_.size() - unused_.size(); }

  private:
    std::vector<Resident> residents_;
    std::vector<ResidentId> unused_;
    std::vector<std::vector<ResidentId>> by_node_;
};

struct Preemption {
    Level level = Level::cluster;
    std::vector<ResidentId> victims;
    std::vector<Placement> tasks;          // of the gang
    std::int32_t priority_max = 0;         // of the victims
    std::int64_t device_seconds_lost = 0;  // × 1000: milli of devices × seconds since checkpoint
};

// Makes room for a gang by stopping residents of lower priority and places it, in one transaction:
// either the victims are released and the gang is placed, or nothing changed (nullopt). The cell is
// the smallest level that can be cleared; among its cells the least (highest priority stopped, work
// lost, growth of fragments). The caller removes the victims from `residents`.
std::optional<Preemption> preempt(
    Placer& placer, const Topology& topology, const Residents& residents, const Gang& gang,
    std::int32_t priority, const FragmentationMeter& meter
);

}  // namespace penstock::placement
