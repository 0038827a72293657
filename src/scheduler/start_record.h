// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <deque>

#include "scheduler/start_estimate.h"

namespace penstock::scheduler {

constexpr std::size_t kStartsKeptMax = 128;  // of each size of wait: the newest
constexpr std::size_t kStartsLeast = 19;     // fewer correct nothing: two in twenty lie outside

// How estimates came true, and by that what later ones mean: work that comes later, fairness and
// preemption make waits longer than the queue played forward says. Of n waits, each over what was
// foretold of it, the next one falls into each of n + 1 gaps with the same chance, as long as times
// are alike. Waits of one power of ten are compared with each other where there are enough.
class StartRecord {
  public:
    // What was foretold as the expected wait, uncorrected, and how long it waited.
    void add(Duration foretold, Duration waited);
    // Unchanged where no wait is expected or too few are known.
    WaitQuantiles corrected(WaitQuantiles waits) const;
    std::size_t size() const { return all_.size(); }

  private:
    static constexpr std::size_t kSizes = 7;  // seconds: 1, 10, … a million and more
    using Ratios = std::deque<double>;        // waited ÷ foretold
    static std::size_t size_of(Duration foretold);

    std::array<Ratios, kSizes> by_size_;
    Ratios all_;
};

}  // namespace penstock::scheduler
