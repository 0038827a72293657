// SPDX-License-Identifier: Apache-2.0
#include "scheduler/callers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace penstock::scheduler {
namespace {

constexpr double kShareWithin = 0.95;
constexpr double kRounding = 1e-9;  // shares are quotients

std::optional<double> round_trip_from(const SiteSpec& site, const std::string& place) {
    const auto known = site.rtt_to.find(place);
    return known == site.rtt_to.end() ? site.rtt_ms : std::optional(known->second);
}

}  // namespace

std::vector<CallerShare> callers_of(const Input& input) {
    if (input.spec.placement && input.spec.placement->near)
        return {{*input.spec.placement->near, 1}};
    return input.callers;
}

std::optional<double> round_trip_ms(const SiteSpec& site, const std::vector<CallerShare>& callers) {
    if (callers.empty()) return site.rtt_ms;
    std::vector<std::pair<double, double>> trips;  // with the share of calls
    double unknown = 0;
    for (const CallerShare& caller : callers) {
        if (const std::optional<double> trip = round_trip_from(site, caller.region))
            trips.emplace_back(*trip, caller.share);
        else
            unknown += caller.share;
    }
    if (trips.empty() || unknown > 1 - kShareWithin + kRounding) return std::nullopt;
    std::ranges::sort(trips);
    double within = 0;
    for (const auto& [trip, share] : trips) {
        within += share;
        if (within >= kShareWithin - kRounding) return trip;
    }
    return trips.back().first;
}

Text text_of(const std::vector<CallerShare>& callers) {
    if (callers.empty()) return {};
    std::vector<CallerShare> sorted = callers;
    std::ranges::sort(sorted, [](const CallerShare& left, const CallerShare& right) {
        return left.share != right.share ? left.share > right.share : left.region < right.region;
    });
    constexpr std::size_t kNamedMax = 5;
    std::string places, places_zh;
    for (std::size_t i = 0; i < std::min(kNamedMax, sorted.size()); ++i) {
        const long percent = std::lround(sorted[i].share * 100);
        places += fmt::format("{}{} ({} %)", i == 0 ? "" : ", ", sorted[i].region, percent);
        places_zh += fmt::format("{}{}（{}%）", i == 0 ? "" : "、", sorted[i].region, percent);
    }
    return {
        "; round trips are those from " + places, "；往返时延按来自 " + places_zh + " 的调用计"
    };
}

}  // namespace penstock::scheduler
