// SPDX-License-Identifier: Apache-2.0
#include "scheduler/run_times.h"

#include <algorithm>
#include <cmath>

namespace penstock::scheduler {

std::optional<Duration> RunTimes::until_limit(Duration elapsed) const {
    if (!limit) return std::nullopt;
    return std::max(*limit - elapsed, Duration{0});
}

std::optional<Duration> RunTimes::left(double share, Duration elapsed) const {
    const auto longer = std::ranges::upper_bound(seen, elapsed);
    const auto runs = static_cast<std::size_t>(seen.end() - longer);
    const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(runs + 1)));
    const std::optional<Duration> end = until_limit(elapsed);
    if (rank > runs) return end;
    const Duration left =
        *(longer + static_cast<std::ptrdiff_t>(std::max<std::size_t>(rank, 1) - 1)) - elapsed;
    return end ? std::min(left, *end) : left;
}

std::optional<Duration> RunTimes::draw_left(Random& random, Duration elapsed) const {
    const auto longer = std::ranges::upper_bound(seen, elapsed);
    const auto runs = static_cast<std::uint64_t>(seen.end() - longer);
    const std::uint64_t gap = random.below(runs + 1);
    const std::optional<Duration> end = until_limit(elapsed);
    if (gap == runs) return end;
    const Duration left = *(longer + static_cast<std::ptrdiff_t>(gap)) - elapsed;
    return end ? std::min(left, *end) : left;
}

}  // namespace penstock::scheduler
