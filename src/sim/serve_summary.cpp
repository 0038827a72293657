// SPDX-License-Identifier: Apache-2.0
#include "sim/serve_summary.h"

#include <algorithm>
#include <cmath>

namespace penstock::sim {
namespace {

constexpr double kMsPerSecond = 1000;

double span_seconds(std::span<const CallTimes> calls) {
    constexpr double kLeast = 1e-6;
    if (calls.empty()) return kLeast;
    const Time last = std::ranges::max_element(calls, {}, &CallTimes::done)->done;
    return std::max(kLeast, to_seconds(last - calls.front().arrived));
}

void add_places(ServeResult& result, std::span<const CallTimes> calls, const ServeSites& sites) {
    for (const SiteSpec& site : sites.sites) result.sites.push_back({.site = site.name});
    std::vector<std::vector<double>> first_token_ms(sites.callers.size());
    for (const CallTimes& call : calls) {
        ++result.sites[call.site].calls;
        first_token_ms[call.region].push_back(
            to_seconds(call.first_token - call.arrived) * kMsPerSecond
        );
        result.round_trip_ms_mean += to_seconds(sites.round_trip(call.region, call.site)) *
                                     kMsPerSecond / static_cast<double>(calls.size());
    }
    for (std::size_t i = 0; i < sites.callers.size(); ++i)
        result.regions.push_back(
            {.region = sites.callers[i].region,
             .calls = first_token_ms[i].size(),
             .first_token_ms_p50 = nearest_rank(first_token_ms[i], 0.5),
             .first_token_ms_p99 = nearest_rank(first_token_ms[i], 0.99)}
        );
}

}  // namespace

double nearest_rank(std::vector<double>& values, double share) {
    if (values.empty()) return 0;
    const double rank = std::ceil(share * static_cast<double>(values.size())) - 1;
    const auto at = values.begin() + std::max<std::ptrdiff_t>(0, static_cast<std::ptrdiff_t>(rank));
    std::ranges::nth_element(values, at);
    return *at;
}

ServeResult summary_of(
    std::span<const ServeRequest> trace, std::span<const CallTimes> calls, const ServeSites* sites,
    const SummaryLimits& limits
) {
    ServeResult result{.calls = trace.size()};
    std::vector<double> first_token_ms;
    std::vector<double> gap_ms;
    std::size_t attained = 0;
    double tokens = 0;
    for (std::size_t i = 0; i < trace.size(); ++i) {
        const CallTimes& call = calls[i];
        const Duration first = call.first_token - call.arrived;
        const std::int64_t gaps = trace[i].output_tokens - 1;
        const double gap =
            gaps > 0 ? to_seconds(call.done - call.first_token) / static_cast<double>(gaps) : 0;
        first_token_ms.push_back(to_seconds(first) * kMsPerSecond);
        if (gaps > 0) gap_ms.push_back(gap * kMsPerSecond);
        attained += first <= limits.first_token_max && gap <= to_seconds(limits.token_gap_max);
        tokens += static_cast<double>(trace[i].output_tokens);
    }
    const double span = span_seconds(calls);
    result.first_token_ms_p50 = nearest_rank(first_token_ms, 0.5);
    result.first_token_ms_p99 = nearest_rank(first_token_ms, 0.99);
    result.token_gap_ms_p50 = nearest_rank(gap_ms, 0.5);
    result.token_gap_ms_p99 = nearest_rank(gap_ms, 0.99);
    result.attained_share = static_cast<double>(attained) / static_cast<double>(trace.size());
    result.goodput_per_second = static_cast<double>(attained) / span;
    result.tokens_per_second = tokens / span;
    if (sites != nullptr) add_places(result, calls, *sites);
    return result;
}

}  // namespace penstock::sim
