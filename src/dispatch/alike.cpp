// SPDX-License-Identifier: Apache-2.0
#include "dispatch/alike.h"

#include <algorithm>

#include "scheduler/filter.h"

namespace penstock::dispatch {
namespace {

bool enforces(const Node& node, std::string_view limit) {
    return std::ranges::find(node.enforces, limit) != node.enforces.end();
}

// Bits of what scheduler::Filters and Candidate read of a node.
class Bits {
  public:
    Bits& add(bool value) {
        bits_ = bits_ << 1U | (value ? 1U : 0U);
        return *this;
    }
    std::uint32_t value() const { return bits_; }

  private:
    std::uint32_t bits_ = 0;
};

}  // namespace

void AlikeNodes::add(const Host& host) {
    const Stand stand = stand_of(host);
    const auto [at, is_new] = known_.try_emplace(stand.reasons);
    Known& known = at->second;
    if (is_new) {
        known = {groups_.size(), stand.nearness};
        groups_.push_back({.shown = &host, .nodes = {}});
    }
    Alike& group = groups_[known.group];
    group.nodes.push_back(&host.node());
    if (stand.nearness <= known.nearness) return;
    known.nearness = stand.nearness;
    group.shown = &host;
}

AlikeNodes::Stand AlikeNodes::stand_of(const Host& host) const {
    const Node& node = host.node();
    const std::int64_t cpu_free = node.total.cpu_milli - host.held().cpu_milli;
    const std::int64_t memory_free = node.total.memory_mib - host.held().memory_mib;
    const std::int64_t asked = request_.accelerator ? request_.accelerator->count_milli : 0;
    const std::int64_t has =
        request_.accelerator ? scheduler::devices_milli(node.total, *request_.accelerator) : 0;
    const std::int64_t usable =
        request_.accelerator ? host.usable_milli(*request_.accelerator, false) : 0;
    const bool cpu_fits = cpu_free >= request_.cpu_milli;
    const bool memory_fits = memory_free >= request_.memory_mib;
    Bits bits;
    bits.add(node.total.cpu_milli >= request_.cpu_milli).add(cpu_fits);
    bits.add(node.total.memory_mib >= request_.memory_mib).add(memory_fits);
    bits.add(has >= asked).add(usable >= asked);
    bits.add(enforces(node, "cpu")).add(enforces(node, "memory"));
    bits.add(node.health == Health::failed).add(node.cordoned);
    bits.add(node.state == NodeState::online).add(node.simulated);
    bits.add(std::ranges::binary_search(avoid_, node.id));
    std::int64_t nearness = 0;
    if (!cpu_fits)
        nearness = cpu_free;
    else if (!memory_fits)
        nearness = memory_free;
    else if (usable < asked)
        nearness = has >= asked ? usable : has;
    return {bits.value(), nearness};
}

}  // namespace penstock::dispatch
