// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "base/random.h"
#include "base/time.h"

namespace penstock::scheduler {

// How long work runs, as far as runs that were like it tell. Of n runs the next one falls into each
// of the n + 1 gaps between them with the same chance; what falls beyond the longest is unknown, or
// ends at the limit.
struct RunTimes {
    std::vector<Duration> seen;     // sorted; empty: nothing is known
    std::optional<Duration> limit;  // it is ended then

    // What is left after `elapsed`, which one of the runs that lasted longer tells; `share` of such
    // work ends by then. Absent: unknown.
    std::optional<Duration> left(double share, Duration elapsed) const;
    // Nine in ten end by then; absent: unknown.
    std::optional<Duration> at_most() const { return left(0.9, Duration{0}); }
    // What is left, drawn. Absent: longer than anything known.
    std::optional<Duration> draw_left(Random& random, Duration elapsed) const;

  private:
    std::optional<Duration> until_limit(Duration elapsed) const;
};

}  // namespace penstock::scheduler
