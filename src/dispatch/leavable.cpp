// SPDX-License-Identifier: Apache-2.0
#include "dispatch/leavable.h"

#include <bit>

namespace penstock::dispatch {

Leavable::Leavable(const std::vector<LeavableWork>& all) {
    std::size_t runs = 0;
    for (const LeavableWork& work : all) runs += work.runs.size();
    const std::size_t size = std::bit_ceil(runs + runs / 3 + 2);
    shift_ = 64 - std::countr_zero(size);
    slots_.resize(size);
    for (const LeavableWork& work : all)
        for (const LeavableWork::Run& run : work.runs) {
            std::size_t at = home_of(run.attempt_id);
            while (slots_[at].work != nullptr && slots_[at].attempt != run.attempt_id)
                at = (at + 1) & (size - 1);
            // Of one that is named twice the first counts.
            if (slots_[at].work == nullptr) slots_[at] = {run.attempt_id, &work, run.unsaved};
        }
}

const Leavable::Entry* Leavable::find(AttemptId attempt) const {
    for (std::size_t at = home_of(attempt); slots_[at].work != nullptr;
         at = (at + 1) & (slots_.size() - 1))
        if (slots_[at].attempt == attempt) return &slots_[at];
    return nullptr;
}

// Ids of one millisecond rise by small steps: the multiplication spreads them.
std::size_t Leavable::home_of(AttemptId attempt) const {
    constexpr std::uint64_t kOdd = 0x9E3779B97F4A7C15;
    return static_cast<std::size_t>(((attempt.raw().low ^ attempt.raw().high) * kOdd) >> shift_);
}

}  // namespace penstock::dispatch
