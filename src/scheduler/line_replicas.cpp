// SPDX-License-Identifier: Apache-2.0
#include "scheduler/line_replicas.h"

#include <algorithm>
#include <cmath>

namespace penstock::scheduler {
namespace {

constexpr double kReplicasMax = 100'000;

}  // namespace

bool is_near(const LineDemand& demand, const ReplicaPlaces& places, Time now) {
    if (demand.left == 0) return false;
    const double time_left = to_seconds(demand.expires_at - now);
    const double alone =
        to_seconds(places.cold_start) + kNearTimes * work_of(demand) / std::max(1.0, places.of_one);
    return time_left <= to_seconds(kNearEnd) || time_left <= alone;
}

std::int64_t replicas_for(
    const std::vector<LineDemand>& near, const ReplicaPlaces& places, Time now
) {
    std::vector<LineDemand> order = near;
    std::ranges::sort(order, {}, &LineDemand::expires_at);
    double work = 0;
    double replicas = 0;
    for (const LineDemand& demand : order) {
        if (demand.left == 0) continue;
        work += work_of(demand);
        const double time_left = std::max(1.0, to_seconds(demand.expires_at - now));
        const double others = places.of_others * kDeadlinePart * time_left;
        if (work * kReplicasSpare <= others) continue;
        const double warm = std::max(1.0, time_left - to_seconds(places.cold_start));
        const double of_one = std::max(1.0, places.of_one) * kDeadlinePart * warm;
        replicas = std::max(replicas, (work * kReplicasSpare - others) / of_one);
    }
    return static_cast<std::int64_t>(std::ceil(std::min(replicas, kReplicasMax)));
}

}  // namespace penstock::scheduler
