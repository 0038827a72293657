// SPDX-License-Identifier: Apache-2.0
#include "scheduler/start_record.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace penstock::scheduler {
namespace {

// A second is added to both, so that short waits do not count for much.
double ratio_of(Duration foretold, Duration waited) {
    return (to_seconds(waited) + 1) / (to_seconds(foretold) + 1);
}

Duration scaled(Duration foretold, double ratio) {
    const double seconds = (to_seconds(foretold) + 1) * ratio - 1;
    return std::chrono::ceil<Duration>(std::chrono::duration<double>(std::max(seconds, 0.0)));
}

void keep(std::deque<double>& ratios, double ratio) {
    ratios.push_back(ratio);
    if (ratios.size() > kStartsKeptMax) ratios.pop_front();
}

}  // namespace

std::size_t StartRecord::size_of(Duration foretold) {
    const double seconds = std::max(to_seconds(foretold), 1.0);
    return std::min(static_cast<std::size_t>(std::log10(seconds)), kSizes - 1);
}

void StartRecord::add(Duration foretold, Duration waited) {
    const double ratio = ratio_of(foretold, waited);
    keep(by_size_.at(size_of(foretold)), ratio);
    keep(all_, ratio);
}

WaitQuantiles StartRecord::corrected(WaitQuantiles waits) const {
    if (!waits.p50) return waits;
    const Ratios& alike = by_size_.at(size_of(*waits.p50));
    const Ratios& known = alike.size() >= kStartsLeast ? alike : all_;
    if (known.size() < kStartsLeast) return waits;
    std::vector<double> sorted(known.begin(), known.end());
    std::ranges::sort(sorted);
    const std::size_t gaps = sorted.size() + 1;
    const auto at = [&](std::size_t rank) {
        return sorted[std::clamp<std::size_t>(rank, 1, sorted.size()) - 1];
    };
    const Duration foretold = *waits.p50;
    waits.corrected_by = sorted.size();
    waits.p10 = scaled(foretold, at(gaps / 10));
    waits.p50 = scaled(foretold, at((gaps + 1) / 2));
    waits.p90 = scaled(foretold, at((gaps * 9 + 9) / 10));
    return waits;
}

}  // namespace penstock::scheduler
