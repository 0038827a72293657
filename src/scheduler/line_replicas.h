// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "scheduler/line_deadlines.h"

// How many replicas of a service lines of batches ask for, where idle nodes would run them.
namespace penstock::scheduler {

// A batch is near its end when so much of its window is left, or so many times the time that one
// replica needs for it, whichever comes first. Until then its lines wait for what is idle anyway.
constexpr Duration kNearEnd = 1h;
constexpr double kNearTimes = 2;
constexpr double kReplicasSpare = 1.25;  // more than what would just do

struct ReplicaPlaces {
    double of_others = 0;   // places that endpoints of other services have now
    double of_one = 1;      // that one replica has beside its calls, at least 1
    Duration cold_start{};  // until a replica that is asked for works
};
bool is_near(const LineDemand& demand, const ReplicaPlaces& places, Time now);
// Replicas with which all of `near` end in time; 0: what others have is enough, or none is near.
std::int64_t replicas_for(
    const std::vector<LineDemand>& near, const ReplicaPlaces& places, Time now
);

}  // namespace penstock::scheduler
