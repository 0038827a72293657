// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "scheduler/fair_queue.h"
#include "scheduler/joint.h"
#include "server/queue_yard.h"

// Tasks of one project that wait at once and would take each other's places: decided one after
// another, the first takes the best place though it may be the only one of the next.
namespace penstock::server {

constexpr std::size_t kJointProjectsMax = 4;  // a round

// What each leaves to the others, by scheduler/joint.h: nodes it takes only where nothing else is
// left. The order of the queue stays: nothing starts earlier for it, and no other project's work
// counts. Only while plans show every node; gangs, work with a promise and time-shared work take no
// part.
class JointStarts {
  public:
    // The plan of waiting work as if it were alone; nothing where it does not start now.
    using Alone =
        std::function<std::optional<Plan>(const tasks::Waiting&, const scheduler::QueueItem&)>;
    // Before each round. The same work on the same state is not planned again.
    void look(
        const Platform& platform, const std::vector<scheduler::QueueItem>& items,
        const QueueYard& yard, const scheduler::FairQueue& queue,
        const scheduler::Reservations& promises, const Alone& alone
    );
    // What it leaves, for its question: nodes, and where `narrows` all accelerators but one. False:
    // it leaves no accelerator.
    bool narrow(DecisionQuestion& question, scheduler::WorkId work, bool narrows) const;

  private:
    using Group = std::vector<const scheduler::QueueItem*>;
    static std::vector<Group> groups_of(
        const std::vector<scheduler::QueueItem>& items, scheduler::FairQueue queue,
        const scheduler::Reservations& promises
    );
    void decide(
        const Platform& platform, const Group& group, const QueueYard& yard, const Alone& alone
    );

    std::optional<std::pair<std::uint64_t, std::vector<scheduler::WorkId>>> looked_at_;
    struct Left {
        std::vector<NodeId> nodes;
        std::optional<Accelerator> alone;
    };
    std::map<scheduler::WorkId, Left> left_;
};

}  // namespace penstock::server
