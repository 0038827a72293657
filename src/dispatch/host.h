// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "fleet/fleet.h"
#include "model/device_kinds.h"
#include "placement/cluster.h"
#include "scheduler/gang.h"

namespace penstock::dispatch {

// Positions in Node::devices; beyond them where a node states an amount and no devices.
using DevicePositions = std::vector<std::int64_t>;

// Why a node takes nothing new; the first that holds.
enum class Closed : std::uint8_t { open, unenforced, unreachable, unhealthy, cordoned };
constexpr std::size_t kClosedReasons = 5;

// Labels that say which nodes of a site stand together.
constexpr std::string_view kRackLabel = scheduler::kRackLabel;
constexpr std::string_view kDomainLabel = scheduler::kDomainLabel;

// Without what no decision reads: load, holds, other labels, address, serial numbers.
Node bare(Node node);

// Of one device: thousandths.
struct DeviceSlot {
    std::int32_t size = 0;  // that can be used; 0: failed
    std::int32_t used = 0;
    std::int64_t room() const { return std::max(0, size - used); }
};
using DeviceSlots = std::vector<DeviceSlot>;  // by position

// What nodes with equal devices and amounts have in common: of each model the positions of its
// devices, rising, and of each device the thousandths that can be used.
struct DeviceLayout {
    std::map<std::string, DevicePositions> positions;
    std::vector<std::int32_t> sizes;  // by position
};
// Keeps it once for all nodes of one owner, and their devices likewise.
class HostKinds {
  public:
    // The node without what no decision reads, and its layout.
    std::pair<Node, std::shared_ptr<const DeviceLayout>> of(const Node& node);

  private:
    struct Known {
        DeviceList devices;
        std::shared_ptr<const DeviceLayout> layout;
    };
    DeviceKinds devices_;
    std::map<std::map<std::string, std::int64_t>, std::vector<Known>> layouts_;  // by amounts
};

// Adds what a hold takes of devices, `sign` times.
void use_devices(DeviceSlots& slots, const fleet::CapacityHold& hold, std::int64_t sign);

// What an attempt holds of a node.
struct HeldByAttempt {
    AttemptId attempt;
    fleet::CapacityHold hold;
};

// A node, what is held of it and by whom, and what is used of every device. Pure.
class Host {
  public:
    Host(const Node& node, HostKinds& kinds) { renew(node, kinds); }
    // As it is now; what is held stays.
    void renew(const Node& node, HostKinds& kinds);
    const Node& node() const { return node_; }
    // Whether `node` differs from this one in what it has, not only in how it is.
    bool resized_by(const Node& node) const;

    // Takes the devices that are named, or chooses: the fullest with room, the lowest whole ones.
    // More than there is can be taken: a node may have shrunk.
    const fleet::CapacityHold& hold(AttemptId attempt, const fleet::CapacityHold& hold);
    // What was held; nothing happens when nothing was.
    fleet::CapacityHold release(AttemptId attempt);
    const std::vector<HeldByAttempt>& holds() const { return holds_; }  // by attempt
    const fleet::CapacityHold& hold_of(AttemptId attempt) const;        // which holds something

    const Capacity& held() const { return held_; }
    Capacity free() const { return fleet::free_of(node_.total, held_); }
    // Thousandths of that model that one such request could have of this node now: wholly free
    // devices for whole ones, the emptiest device for a share.
    // `linked`: within one link domain.
    std::int64_t usable_milli(const Accelerator& asked, bool linked) const {
        return usable_milli(asked, linked, slots_);
    }
    // The wholly free devices of a model, rising; `linked`: of the link domain that has most of
    // them.
    DevicePositions whole_ones(const std::string& model, bool linked) const {
        return whole_ones(model, linked, slots_);
    }
    // Thousandths of device `position` that are free; 0 where it has failed.
    std::int64_t room(std::int64_t position) const {
        return slots_.at(static_cast<std::size_t>(position)).room();
    }

    // Of device `position`; absent: no link is known.
    std::optional<std::int64_t> link_domain(std::int64_t position) const;

    // The devices that a hold takes which names none: several whole ones of the tightest link
    // domain that holds them, else of the tightest NUMA node.
    DevicePositions choose(const Accelerator& asked) const { return choose(asked, slots_); }

    // The same of its devices as they would be.
    const DeviceSlots& slots() const { return slots_; }
    std::int64_t usable_milli(const Accelerator& asked, bool linked, const DeviceSlots& slots)
        const;
    DevicePositions choose(const Accelerator& asked, const DeviceSlots& slots) const;

    // The positions of a model's devices, rising; failed ones included.
    const DevicePositions& positions(const std::string& model) const;
    const std::map<std::string, DevicePositions>& models() const { return layout_->positions; }
    Closed closed(bool advisory_limits) const;
    // By the label `rack`; empty: not stated.
    const std::string& rack() const;

  private:
    std::optional<std::int64_t> numa_node(std::int64_t position) const;
    DevicePositions whole_ones(const std::string& model, bool linked, const DeviceSlots& slots)
        const;
    // `count` of the wholly free devices of a model that lie in one group, of the smallest group
    // that has as many; empty: none has.
    using GroupOf = std::optional<std::int64_t> (Host::*)(std::int64_t) const;
    DevicePositions in_one_group(
        const std::string& model, std::size_t count, GroupOf group_of, const DeviceSlots& slots
    ) const;

    Node node_;
    Capacity held_;
    DeviceSlots slots_;
    std::shared_ptr<const DeviceLayout> layout_;
    std::vector<HeldByAttempt> holds_;
};

// How many devices a request takes, and how much of each.
std::int64_t device_count(const Accelerator& asked);

}  // namespace penstock::dispatch
