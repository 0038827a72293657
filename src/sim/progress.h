// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "base/time.h"

namespace penstock::sim {

// How far a long run has come. Reports at most once each kProgressInterval, so it may be told of
// every step; a run shorter than that says nothing. One thread; borrows the clock.
class Progress {
  public:
    static constexpr Duration kProgressInterval = 1s;
    using Report =
        std::function<void(const std::string& stage, std::size_t done, std::size_t total)>;
    Progress(const Clock& clock, Report report)
        : clock_(clock), report_(std::move(report)), told_at_(clock.monotonic()) {}

    // A new part of the run: "fgd, seed 42", of `total` steps.
    void begin(std::string stage, std::size_t total);
    void done(std::size_t steps);  // of this stage, from its beginning

  private:
    const Clock& clock_;
    Report report_;
    Duration told_at_;
    std::string stage_;
    std::size_t total_ = 0;
};

}  // namespace penstock::sim
