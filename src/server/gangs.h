// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "scheduler/queue_round.h"
#include "server/agent_hub.h"
#include "server/billing.h"
#include "server/platform.h"

// Items of several nodes: how they are decided and begun.
namespace penstock::server {

// The plan of a task with `num_nodes`, over all nodes.
Plan plan_gang(
    const Platform& platform, const TaskSpec& spec, OrganisationId organisation, std::int64_t items,
    std::vector<NodeId> avoid
);

// The queue that the item stands in.
struct GangQueue {
    // Whether room on the node is promised to others.
    std::function<bool(NodeId, const ResourceRequest&)> is_kept;
    std::function<void(std::string en, std::string zh)> explain;  // why there is no room
    std::vector<NodeId> avoid;
};

// Places a waiting item as a whole: capacity holds, money holds and attempts of all members in one
// change; when it is durable the agents are told to start.
scheduler::Started place_gang(
    Platform& platform, Billing& billing, AgentHub& hub, const tasks::Waiting& waiting,
    const GangQueue& queue
);

// Whether waiting could help where a plan is not feasible: another task ends, a node comes back.
bool may_become_feasible(const Plan& plan);

}  // namespace penstock::server
