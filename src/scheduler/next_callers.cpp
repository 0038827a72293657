// SPDX-License-Identifier: Apache-2.0
#include "scheduler/next_callers.h"

#include <algorithm>
#include <tuple>

#include "scheduler/callers.h"

namespace penstock::scheduler {
namespace {

constexpr double kTripMsMin = 1;  // so that calls count beside a replica next door as well
constexpr double kEqual = 1e-9;   // sums of shares

struct Way {
    double trip_ms = 0;
    std::size_t region = 0;
    std::size_t replica = 0;
    auto key() const { return std::tuple(trip_ms, region, replica); }
};

std::vector<Way> ways_between(
    const std::vector<CallerShare>& callers, const std::vector<const SiteSpec*>& replicas
) {
    std::vector<Way> ways;
    for (std::size_t region = 0; region < callers.size(); ++region)
        for (std::size_t replica = 0; replica < replicas.size(); ++replica)
            if (const auto trip = round_trip_ms(*replicas[replica], {{callers[region].region, 1}}))
                ways.push_back({std::max(kTripMsMin, *trip), region, replica});
    std::ranges::sort(ways, {}, &Way::key);
    return ways;
}

}  // namespace

std::vector<CallerShare> next_callers(
    const std::vector<CallerShare>& callers, const std::vector<const SiteSpec*>& replicas
) {
    if (callers.size() < 2 || replicas.empty()) return callers;
    std::vector<CallerShare> sorted = callers;
    std::ranges::sort(sorted, {}, &CallerShare::region);
    double all = 0;
    for (const CallerShare& caller : sorted) all += caller.share;
    const double part = all / static_cast<double>(replicas.size() + 1);
    std::vector<double> takes(replicas.size(), part);
    std::vector<double> left;
    for (const CallerShare& caller : sorted) left.push_back(caller.share);
    std::vector<double> nearest_ms(sorted.size(), 0);
    for (const Way& way : ways_between(sorted, replicas)) {
        if (nearest_ms[way.region] == 0) nearest_ms[way.region] = way.trip_ms;
        const double taken = std::min(left[way.region], takes[way.replica]);
        left[way.region] -= taken;
        takes[way.replica] -= taken;
    }
    std::size_t most = sorted.size();
    double need_most = kEqual;
    for (std::size_t region = 0; region < sorted.size(); ++region) {
        const double need = left[region] * nearest_ms[region];
        if (need <= need_most * (1 + kEqual)) continue;
        most = region;
        need_most = need;
    }
    if (most == sorted.size()) return callers;
    return {{sorted[most].region, 1}};
}

}  // namespace penstock::scheduler
