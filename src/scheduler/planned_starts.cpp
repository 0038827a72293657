// SPDX-License-Identifier: Apache-2.0
#include "scheduler/planned_starts.h"

namespace penstock::scheduler {

void PlannedStarts::put_off(WorkId work, Time now, std::uint64_t known) {
    if (planned_.size() >= kPlannedStartsMax && !planned_.contains(work))
        std::erase_if(planned_, [&](const auto& each) { return each.second.again_at <= now; });
    if (planned_.size() >= kPlannedStartsMax && !planned_.contains(work)) planned_.clear();
    planned_[work] = {std::chrono::floor<std::chrono::hours>(now) + 1h, known};
}

bool PlannedStarts::stands(WorkId work, Time now, std::uint64_t known) {
    const auto found = planned_.find(work);
    if (found == planned_.end()) return false;
    if (now < found->second.again_at && known == found->second.known) return true;
    if (replans_left_ == 0) return true;
    --replans_left_;
    return false;
}

}  // namespace penstock::scheduler
