// SPDX-License-Identifier: Apache-2.0
#include "model/service_load.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "json/codec.h"

JSON_INSTANTIATE(penstock::ReportLoads);
JSON_INSTANTIATE(penstock::TakenLoads);

namespace penstock {
namespace {

constexpr double kFirstUs = 100;  // the upper end of class 0
constexpr double kPerOctave = 4;

// The upper end of a class, in microseconds.
double end_of(std::size_t index) {
    return kFirstUs * std::exp2(static_cast<double>(index) / kPerOctave);
}

std::size_t class_of(Duration span) {
    const auto us = static_cast<double>(span.count());
    if (us <= kFirstUs) return 0;
    const auto index = static_cast<std::size_t>(std::ceil(kPerOctave * std::log2(us / kFirstUs)));
    return std::min(index, SpanCounts::kClasses - 1);
}

}  // namespace

void SpanCounts::count(Duration span) {
    const std::size_t index = class_of(span);
    if (counts.size() <= index) counts.resize(index + 1);
    ++counts[index];
}

SpanCounts SpanCounts::since(const SpanCounts& earlier) const {
    SpanCounts out = *this;
    for (std::size_t i = 0; i < std::min(counts.size(), earlier.counts.size()); ++i)
        out.counts[i] = std::max<std::int64_t>(0, counts[i] - earlier.counts[i]);
    return out;
}

void SpanCounts::add(const SpanCounts& other) {
    if (counts.size() < other.counts.size()) counts.resize(other.counts.size());
    for (std::size_t i = 0; i < other.counts.size(); ++i) counts[i] += other.counts[i];
}

std::int64_t SpanCounts::total() const {
    return std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
}

std::optional<Duration> SpanCounts::percentile(double share, std::int64_t samples_min) const {
    const std::int64_t all = total();
    if (all == 0 || all < samples_min) return std::nullopt;
    const double wanted = share * static_cast<double>(all);
    double below = 0;
    for (std::size_t i = 0; i < counts.size(); ++i) {
        const auto here = static_cast<double>(counts[i]);
        if (below + here < wanted) {
            below += here;
            continue;
        }
        const double start = i == 0 ? 0 : end_of(i - 1);
        const double part = here > 0 ? (wanted - below) / here : 0;
        return Duration(static_cast<std::int64_t>(start + part * (end_of(i) - start)));
    }
    return Duration(static_cast<std::int64_t>(end_of(counts.size() - 1)));
}

}  // namespace penstock
