// SPDX-License-Identifier: Apache-2.0
#include "scheduler/planned_starts.h"

namespace penstock::scheduler {

void PlannedStarts::put_off(WorkId work, Time now, std::uint64_t known) {
    if (planned_.size() >= kPlannedStartsMax && !planned_.contains(work))
        std::erase_if(planned_, [&](const auto& each) { return each.second.again_at <= now; });
    if (planned_.size() >= kPlannedStartsMax && !planned_.contains(work)) planned_.clear();
    planned_[work] = {std::chrono::floor<std::chrono::hours>(now) + 1h, known};
}

bool PlannedStarts::stands(WorkId work, Time now, std::uint64_t known) const {
    const auto found = planned_.find(work);
    return found != planned_.end() && now < found->second.again_at && known == found->second.known;
}

}  // namespace penstock::scheduler
