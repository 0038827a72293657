// SPDX-License-Identifier: Apache-2.0
#include "scheduler/joint.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <span>
#include <tuple>

#include "scheduler/assign.h"
#include "scheduler/objective.h"

namespace penstock::scheduler {
namespace {

constexpr double kScoreUnit = 1e6;

bool takes_part(const Plan& plan) { return plan.feasible && !plan.gang && !plan.later; }

// Candidates with their losses, best first, on the best kJointItemsMax nodes: the others of the
// group take one each at most, so that a better one than those left out is always free. Of a list
// of accelerators only the first: where the loss falls, the next of the list begins.
std::vector<Option> options_of(const Plan& plan, const std::map<NodeId, std::size_t>& nodes) {
    std::vector<Option> options;
    std::set<std::size_t> seen;
    double last = 0;
    for (const Candidate& candidate : plan.candidates) {
        if (!candidate.rank || !candidate.score || candidate.start_at) break;
        if (*candidate.score < last) break;
        last = *candidate.score;
        const std::size_t node = nodes.at(candidate.node_id);
        if (seen.insert(node).second && seen.size() > kJointItemsMax) break;
        options.push_back(
            {.node = node, .request = candidate.request, .score = std::llround(last * kScoreUnit)}
        );
    }
    return options;
}

}  // namespace

JointChoice choose_jointly(
    const std::vector<const Plan*>& plans, const std::map<NodeId, Capacity>& free
) {
    std::map<NodeId, std::size_t> nodes;
    std::vector<Capacity> capacities;
    for (const auto& [id, capacity] : free) {
        nodes[id] = capacities.size();
        capacities.push_back(capacity);
    }
    std::vector<std::vector<Option>> options;
    for (const Plan* plan : plans)
        options.push_back(takes_part(*plan) ? options_of(*plan, nodes) : std::vector<Option>());
    const Assignment in_order = assign_in_order(capacities, options);
    Assignment joint = assign_in_queue(capacities, options);
    const bool gains =
        std::tie(joint.unplaced, joint.score) < std::tie(in_order.unplaced, in_order.score);
    return {.candidate_of = std::move(joint.option_of), .gains = gains};
}

std::vector<NodeId> nodes_left(
    const std::vector<const Plan*>& plans, const JointChoice& choice, std::size_t i
) {
    const std::size_t own = *choice.candidate_of[i];
    std::set<NodeId> nodes;
    for (std::size_t other = 0; other < plans.size(); ++other)
        if (const auto& taken = choice.candidate_of[other])
            nodes.insert(plans[other]->candidates[*taken].node_id);
    std::set<NodeId> left;
    for (std::size_t c = 0; c < plans[i]->candidates.size(); ++c) {
        const Candidate& candidate = plans[i]->candidates[c];
        if (!candidate.rank) break;
        if (c < own || nodes.contains(candidate.node_id)) left.insert(candidate.node_id);
    }
    left.erase(plans[i]->candidates[own].node_id);
    return {left.begin(), left.end()};
}

std::optional<Accelerator> accelerator_alone(const Plan& plan, std::size_t candidate) {
    const Candidate& taken = plan.candidates[candidate];
    const auto before = std::span(plan.candidates).first(candidate);
    const bool prefers_another = std::ranges::any_of(before, [&](const Candidate& each) {
        return each.node_id == taken.node_id && each.request != taken.request;
    });
    return prefers_another ? taken.request.accelerator : std::nullopt;
}

}  // namespace penstock::scheduler
