// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "dispatch/alike.h"
#include "dispatch/engine.h"

// Work of several nodes: which of them, all or none.
namespace penstock::dispatch {
namespace {

// Linked to each other where a link domain has enough that are wholly free.
DevicePositions devices_for(const Host& host, const Accelerator& asked) {
    const auto count = static_cast<std::size_t>(device_count(asked));
    DevicePositions linked;
    if (count > 1) linked = host.whole_ones(asked.model, true);
    if (linked.size() < std::max<std::size_t>(count, 2)) return host.choose(asked);
    linked.resize(count);
    return linked;
}

}  // namespace

DecisionAnswer Engine::decide_gang(const DecisionQuestion& question) const {
    scheduler::Input input = input_of(question);
    const std::vector<Choice> choices = choices_of(question.spec);
    std::vector<NodeId> avoid = question.avoid;
    std::ranges::sort(avoid);
    Peers peers;
    for (const auto& [id, site] : sites_)
        if (nodes() <= kNodesShownMax)
            add_all(site, choices, {}, input);
        else
            add_alike(site, choices, avoid, peers, input);
    for (scheduler::Supply& supply : input.supplies) supply.restarts = restarts_of(supply.site->id);
    DecisionAnswer answer{.picks = {}, .plan = scheduler::plan(input), .devices = {}};
    if (!answer.plan.feasible) return answer;
    answer.devices_by_rank.emplace();
    for (const Candidate& member : answer.plan.candidates) {
        if (!member.chosen) continue;
        const std::optional<Accelerator>& asked = member.request.accelerator;
        answer.devices_by_rank->push_back(
            asked ? devices_for(*find(member.node_id), *asked) : DevicePositions{}
        );
    }
    return answer;
}

// What a plan would make of every node, from one node of each kind.
void Engine::add_alike(
    const SiteState& site, const std::vector<Choice>& choices, const std::vector<NodeId>& avoid,
    Peers& peers, scheduler::Input& input
) {
    std::vector<AlikeNodes> kinds;  // by choice; the last of nodes that none suits
    for (const Choice& choice : choices) kinds.emplace_back(choice.request, avoid);
    kinds.emplace_back(choices.front().request, avoid);
    for (const auto& [name, host] : site.hosts) {
        bool any = false;
        for (std::size_t i = 0; i < choices.size(); ++i) {
            const Accelerator* asked = choices[i].asked;
            if (asked != nullptr && !can_ever(host, *asked)) continue;
            any = true;
            kinds[i].add(host);
        }
        if (!any) kinds.back().add(host);
    }
    for (std::size_t i = 0; i < kinds.size(); ++i)
        for (const Alike& group : kinds[i].groups()) {
            peers.push_back(group.nodes);
            const Choice choice = i < choices.size() ? choices[i] : Choice{};
            input.supplies.push_back(supply_of(site, *group.shown, choice));
            input.supplies.back().alike = std::ssize(group.nodes) - 1;
            input.supplies.back().peers = &peers.back();
        }
}

std::vector<fleet::CapacityHold> Engine::holds_of(const DecisionAnswer& answer) const {
    std::vector<fleet::CapacityHold> holds;
    for (const Candidate& chosen : answer.plan.candidates) {
        if (!chosen.chosen) continue;
        const DevicePositions& devices =
            answer.devices_by_rank ? answer.devices_by_rank->at(holds.size()) : answer.devices;
        holds.push_back({chosen.node_id, chosen.request, devices});
        // Of an amount that a node states without listing its devices none can be named.
        const Host* host = find(chosen.node_id);
        if (host != nullptr && !devices.empty() &&
            std::ranges::max(devices) >= std::ssize(host->node().devices))
            holds.back().devices.clear();
    }
    return holds;
}

}  // namespace penstock::dispatch
