// SPDX-License-Identifier: Apache-2.0
#include "scheduler/alike_supplies.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

namespace penstock::scheduler {
namespace {

// Filters read linked devices one by one.
bool links_before(const Device& left, const Device& right) {
    const auto key = [](const Device& device) {
        return std::tuple(
            std::string_view(device.model), device.link_domain, device.health == Health::failed
        );
    };
    return key(left) < key(right);
}

bool linked_before(const DeviceList& left, const DeviceList& right) {
    for (std::size_t i = 0; i < std::min(left.size(), right.size()); ++i) {
        if (links_before(left.kind(i), right.kind(i))) return true;
        if (links_before(right.kind(i), left.kind(i))) return false;
    }
    return left.size() < right.size();
}

// By all that plan() reads of a node with room, but its names.
struct Before {
    bool linked = false;
    bool operator()(const Supply* left, const Supply* right) const {
        const auto key = [](const Supply& supply) {
            const Node& node = *supply.node;
            return std::tie(
                supply.site->id, supply.outlook, node.total.cpu_milli, node.total.memory_mib,
                node.total.accelerator_milli, node.health, node.cordoned, node.state,
                node.simulated, node.enforces
            );
        };
        const std::weak_ordering order = key(*left) <=> key(*right);
        if (order != 0 || !linked) return order < 0;
        return linked_before(left->node->devices, right->node->devices);
    }
};

}  // namespace

namespace {

std::vector<AlikeSupplies> sorted(
    const std::vector<Supply>& supplies, bool linked, const std::vector<NodeId>& apart
) {
    std::vector<AlikeSupplies> groups;
    std::map<const Supply*, std::size_t, Before> known(Before{linked});
    for (const Supply& supply : supplies) {
        const bool alone = std::ranges::binary_search(apart, supply.node->id);
        std::size_t group = groups.size();
        if (!alone) group = known.try_emplace(&supply, group).first->second;
        if (group == groups.size()) groups.push_back({.shown = supply, .nodes = {}});
        groups[group].nodes.push_back(supply.node);
    }
    for (AlikeSupplies& group : groups) group.shown.alike = std::ssize(group.nodes) - 1;
    return groups;
}

}  // namespace

std::vector<AlikeSupplies> alike_supplies(
    const std::vector<Supply>& supplies, const TaskSpec& spec, const std::vector<NodeId>& apart
) {
    return sorted(supplies, request_of(spec).linked, apart);
}

std::vector<AlikeSupplies> alike_supplies(const std::vector<Supply>& supplies, bool linked) {
    return sorted(supplies, linked, {});
}

std::vector<Place> suited_places(Input input, std::size_t most) {
    const std::vector<AlikeSupplies> groups = alike_supplies(input.supplies, input.spec);
    input.supplies.clear();
    for (const AlikeSupplies& group : groups) {
        input.supplies.push_back(group.shown);
        input.supplies.back().peers = &group.nodes;
    }
    return suited_places_of_groups(std::move(input), most);
}

std::vector<Place> suited_places_of_groups(Input input, std::size_t most) {
    std::map<NodeId, const std::vector<const Node*>*> peers_of;
    for (Supply& supply : input.supplies) {
        peers_of.emplace(supply.node->id, std::exchange(supply.peers, nullptr));
        supply.free = supply.node->total;
    }
    std::vector<Place> places;
    for (const Candidate& candidate : plan(input).candidates) {
        if (candidate.filter != FilterReason::none) continue;
        for (const Node* node : *peers_of.at(candidate.node_id)) {
            if (places.size() == most) return places;
            places.push_back({node->id, candidate.request});
        }
    }
    return places;
}

}  // namespace penstock::scheduler
