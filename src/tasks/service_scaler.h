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

// What lines of batches ask of a service.
struct LinesAsk {
    std::int64_t replicas = 0;  // with which they are in time; 0: none is near its end
    // Nodes are idle: one more would start now, and no other work waits.
    bool may_grow = false;
    std::int64_t without_place = 0;  // replicas of the service that wait, or gave way
};

// One Autoscaler for each elastic service, fed from the gateways' reports. Pure; one owner, who
// ticks every service at an even pace and carries the changes out. It keeps nothing that has to be
// stored: the number of replicas is on the board, and a service that is first seen with replicas
// (its owner was restarted) keeps them for the usual spans.
//     if (const auto change = scaler.tick(task.id, *task.spec.service, board.replicas(id), now))
//         board.set_replicas(id, *change, now, changes);
class ServiceScaler {
  public:
    std::optional<ReplicaChange> tick(
        const TaskId& id, const ServiceSpec& service, std::int64_t replicas, Time now,
        const LinesAsk& lines = {}
    );
    // Replicas beyond what its load needs, for lines. They are lent: one at a time is added while
    // nodes are idle, all go when no line needs them, and one that has no place, or lost it to
    // other work, is not asked for again before kLentRest.
    std::int64_t lent(const TaskId& id) const;
    static constexpr Duration kLentRest = 30s;
    // All others have ended.
    void keep_only(const std::set<TaskId>& ids);

    LoadBook loads;

  private:
    struct Lent {
        std::int64_t replicas = 0;
        Time rests_until;
    };
    static void lend(Lent& lent, const LinesAsk& lines, std::int64_t needed, Time now);

    std::map<TaskId, Autoscaler> autoscalers_;
    std::map<TaskId, Lent> lent_;
};

}  // namespace penstock::tasks
