// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>

#include "base/time.h"
#include "scheduler/reservations.h"

namespace penstock::scheduler {

constexpr std::size_t kPlannedStartsMax = 100'000;  // then all are forgotten and planned anew
// At a full hour all are due at once, and each takes a plan over hundreds of starts: so many in one
// round, the others in the next ones.
constexpr std::size_t kReplansPerRoundMax = 64;

// Work that was found a better hour than now. It holds nothing: all that is remembered is that it
// need not be planned again before the next full hour, unless more is known of sites by then. What
// is forgotten, by a restart too, is planned anew and comes out the same.
class PlannedStarts {
  public:
    // `known` numbers what is known of sites: it rises with every change.
    void put_off(WorkId work, Time now, std::uint64_t known);
    void begin_round() { replans_left_ = kReplansPerRoundMax; }
    // Whether what was planned for it still stands, or is to be looked at in a later round.
    bool stands(WorkId work, Time now, std::uint64_t known);
    void forget(WorkId work) { planned_.erase(work); }
    std::size_t size() const { return planned_.size(); }

  private:
    struct Planned {
        Time again_at;
        std::uint64_t known = 0;
    };
    std::map<WorkId, Planned> planned_;
    std::size_t replans_left_ = kReplansPerRoundMax;
};

}  // namespace penstock::scheduler
