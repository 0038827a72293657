// SPDX-License-Identifier: Apache-2.0
#include "scheduler/outlook.h"

#include <cmath>

namespace penstock::scheduler {
namespace {

constexpr double kSecondsPerHour = 3600;

double hours_in(Duration span) { return to_seconds(span) / kSecondsPerHour; }

}  // namespace

HourlySeries::HourlySeries(Time from, const std::vector<double>& values)
    : from_(from), sums_(values.size() + 1) {
    for (std::size_t i = 0; i < values.size(); ++i) sums_[i + 1] = sums_[i] + values[i];
}

Time HourlySeries::until() const {
    return empty() ? from_ : from_ + std::chrono::hours(sums_.size() - 1);
}

double HourlySeries::sum_until(Time time) const {
    const double hours = hours_in(time - from_);
    const auto whole = static_cast<std::size_t>(hours);
    if (whole + 1 >= sums_.size()) return sums_.back();
    return sums_[whole] + (hours - std::floor(hours)) * (sums_[whole + 1] - sums_[whole]);
}

std::optional<double> HourlySeries::mean(Time start, Duration span) const {
    if (empty() || start < from_ || start >= until() || start + span > until()) return std::nullopt;
    if (span > Duration::zero())
        return (sum_until(start + span) - sum_until(start)) / hours_in(span);
    const auto hour = static_cast<std::size_t>(hours_in(start - from_));
    return sums_[hour + 1] - sums_[hour];
}

std::optional<std::int64_t> Outlook::price_percent_at(Time time) const {
    if (time < percents_from) return std::nullopt;
    const auto hour = static_cast<std::size_t>(
        std::chrono::floor<std::chrono::hours>(time - percents_from).count()
    );
    return hour < price_percents.size() ? std::optional(price_percents[hour]) : std::nullopt;
}

bool Outlook::believed(Time now) const {
    return !stated || state_of(*stated, now) == OutlookState::fresh;
}

Outlook outlook_of(const SiteOutlook& stated) {
    const OutlookSpec& spec = stated.spec;
    Outlook outlook{
        .percents_from = spec.from, .price_percents = spec.price_percent, .stated = stated
    };
    if (!spec.carbon_g_per_kwh.empty())
        outlook.carbon_g_per_kwh = HourlySeries(spec.from, spec.carbon_g_per_kwh);
    return outlook;
}

}  // namespace penstock::scheduler
