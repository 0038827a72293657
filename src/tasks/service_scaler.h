// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <set>

#include "tasks/autoscaler.h"
#include "tasks/board.h"
#include "tasks/load_book.h"

namespace penstock::tasks {

// The targets of an elastic service; where its spec states none, calls in flight.
AutoscaleTargets targets_of(const ServiceSpec& service);

// One Autoscaler for each elastic service, fed from the gateways' reports. Pure; one owner, who
// ticks every service at an even pace and carries the changes out. It keeps nothing that has to be
// stored: the number of replicas is on the board, and a service that is first seen with replicas
// (its owner was restarted) keeps them for the usual spans.
//     if (const auto change = scaler.tick(task.id, *task.spec.service, board.replicas(id), now))
//         board.set_replicas(id, *change, now, changes);
class ServiceScaler {
  public:
    std::optional<ReplicaChange> tick(
        const TaskId& id, const ServiceSpec& service, std::int64_t replicas, Time now
    );
    // All others have ended.
    void keep_only(const std::set<TaskId>& ids);

    LoadBook loads;

  private:
    std::map<TaskId, Autoscaler> autoscalers_;
};

}  // namespace penstock::tasks
