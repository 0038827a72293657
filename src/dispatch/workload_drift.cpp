// SPDX-License-Identifier: Apache-2.0
#include "dispatch/workload_drift.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <tuple>

namespace penstock::dispatch {
namespace {

// Requests that would have to be others, beyond chance.
constexpr double kDriftPart = 0.1;

using RequestCounts = std::map<std::tuple<std::int64_t, std::string, std::int64_t>, std::int64_t>;

// Memory is no matter of fragments.
RequestCounts counts_of(const auto& requests) {
    RequestCounts counts;
    for (const ResourceRequest& request : requests) {
        const Accelerator none{"", 0};
        const Accelerator& asked = request.accelerator ? *request.accelerator : none;
        ++counts[{request.cpu_milli, asked.model, asked.count_milli}];
    }
    return counts;
}

// What two lists drawn from one mix differ by on average, as the share of requests that would have
// to be others: by the normal approximation, and for rare requests by both their counts.
double apart_by_chance(double share, double sizes) {
    const double spread = std::sqrt(2 / std::numbers::pi * share * (1 - share) * sizes);
    return std::min(spread, 2 * share) / 2;
}

}  // namespace

bool drifted(const std::vector<ResourceRequest>& before, const std::deque<ResourceRequest>& now) {
    const double size_before = static_cast<double>(before.size());
    const double size_now = static_cast<double>(now.size());
    const double sizes = 1 / size_before + 1 / size_now;
    double apart = 0;
    double chance = 0;
    RequestCounts old = counts_of(before);
    RequestCounts all = counts_of(now);
    for (const auto& [key, count] : old) all.try_emplace(key, 0);
    for (const auto& [key, count] : all) {
        const auto was = static_cast<double>(old[key]), is = static_cast<double>(count);
        apart += std::abs(is / size_now - was / size_before) / 2;
        chance += apart_by_chance((is + was) / (size_now + size_before), sizes);
    }
    return apart > chance + kDriftPart;
}

}  // namespace penstock::dispatch
