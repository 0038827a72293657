// SPDX-License-Identifier: Apache-2.0
#include "server/joint_starts.h"

#include <algorithm>
#include <set>

namespace penstock::server {

using scheduler::QueueItem;
using scheduler::WorkId;

void JointStarts::look(
    const Platform& platform, const std::vector<QueueItem>& items, const QueueYard& yard,
    const scheduler::FairQueue& queue, const scheduler::Reservations& promises, const Alone& alone
) {
    std::vector<WorkId> works;
    std::vector<Group> groups;
    if (platform.engine.nodes() <= dispatch::kNodesShownMax)
        groups = groups_of(items, queue, promises);
    for (const Group& group : groups)
        for (const QueueItem* item : group) works.push_back(item->work);
    auto now = std::pair(platform.engine.position(), std::move(works));
    if (looked_at_ == now) return;
    looked_at_ = std::move(now);
    left_.clear();
    for (const Group& group : groups) decide(platform, group, yard, alone);
}

bool JointStarts::narrow(DecisionQuestion& question, WorkId work, bool narrows) const {
    const auto found = left_.find(work);
    if (found == left_.end()) return false;
    const Left& left = found->second;
    if (!left.nodes.empty()) question.leave = left.nodes;
    if (!narrows || !left.alone || !question.spec.resources.accelerators) return false;
    question.spec.resources.accelerators->choices = {*left.alone};
    return true;
}

// The first waiting item of each task, by project and priority, as far as quotas let them start
// together. One alone leaves nothing to anybody.
std::vector<JointStarts::Group> JointStarts::groups_of(
    const std::vector<QueueItem>& items, scheduler::FairQueue queue,
    const scheduler::Reservations& promises
) {
    std::map<std::pair<scheduler::Tenant, std::int64_t>, Group> by_project;
    std::set<std::uint64_t> seen;
    for (const QueueItem& item : items) {
        if (item.nodes > 1 || promises.find(item.work) != nullptr) continue;
        const std::pair key(item.tenant, item.priority);
        if (!by_project.contains(key) && by_project.size() == kJointProjectsMax) continue;
        Group& group = by_project[key];
        if (group.size() == scheduler::kJointItemsMax || !seen.insert(item.group).second) continue;
        const scheduler::Amounts asked = scheduler::amounts_of(item.request);
        if (queue.blocked(item.tenant, asked)) continue;
        queue.charge(item.tenant, asked);
        group.push_back(&item);
    }
    std::vector<Group> groups;
    for (auto& [key, group] : by_project)
        if (group.size() > 1) groups.push_back(std::move(group));
    return groups;
}

void JointStarts::decide(
    const Platform& platform, const Group& group, const QueueYard& yard, const Alone& alone
) {
    std::vector<Plan> plans;
    std::vector<WorkId> works;
    for (const QueueItem* item : group)
        if (std::optional<Plan> plan = alone(yard.waiting(item->work), *item)) {
            plans.push_back(*std::move(plan));
            works.push_back(item->work);
        }
    if (plans.size() < 2) return;
    std::vector<const Plan*> all;
    for (const Plan& plan : plans) all.push_back(&plan);
    std::map<NodeId, Capacity> free;
    for (const Node* node : platform.fleet.nodes()) free[node->id] = platform.fleet.free_of(*node);
    const scheduler::JointChoice choice = scheduler::choose_jointly(all, free);
    if (!choice.gains) return;
    for (std::size_t i = 0; i < plans.size(); ++i)
        if (const std::optional<std::size_t> candidate = choice.candidate_of[i])
            left_[works[i]] = {
                scheduler::nodes_left(all, choice, i),
                scheduler::accelerator_alone(plans[i], *candidate)
            };
}

}  // namespace penstock::server
