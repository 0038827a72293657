// SPDX-License-Identifier: Apache-2.0
#include "model/outlook.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace penstock {
namespace {

std::unexpected<Error> bad(std::string field, std::string message) {
    return fail_field(ErrorCode::invalid_argument, std::move(field), std::move(message));
}

std::string at(std::string_view list, std::size_t index) {
    return std::string(list) + "[" + std::to_string(index) + "]";
}

Result<void> check_values(
    std::string_view list, const std::vector<double>& values, double least, double most
) {
    for (std::size_t i = 0; i < values.size(); ++i)
        if (!std::isfinite(values[i]) || values[i] < least || values[i] > most)
            return bad(
                at(list, i), "must be a number from " +
                                 std::to_string(static_cast<std::int64_t>(least)) + " to " +
                                 std::to_string(static_cast<std::int64_t>(most)) +
                                 ": every hour has a value, unknown ones end the list"
            );
    return {};
}

Result<void> check_lengths(const OutlookSpec& spec) {
    const std::size_t hours = hours_of(spec);
    if (hours == 0)
        return bad(
            "carbon_g_per_kwh",
            "nothing is stated: give at least one of carbon_g_per_kwh, power_price_per_kwh, "
            "price_percent, a value for each hour"
        );
    if (hours > kOutlookHoursMax)
        return bad(
            "from", "is followed by " + std::to_string(hours) + " hours: state at most " +
                        std::to_string(kOutlookHoursMax) + ", and more when these are over"
        );
    const std::array<std::pair<std::string_view, std::size_t>, 3> lists = {
        {{"carbon_g_per_kwh", spec.carbon_g_per_kwh.size()},
         {"power_price_per_kwh", spec.power_price_per_kwh.size()},
         {"price_percent", spec.price_percent.size()}}
    };
    for (const auto& [name, size] : lists)
        if (size != 0 && size != hours)
            return bad(
                std::string(name), "has " + std::to_string(size) +
                                       " values where another list has " + std::to_string(hours) +
                                       ": state one for each hour"
            );
    return {};
}

}  // namespace

std::size_t hours_of(const OutlookSpec& spec) {
    return std::max(
        {spec.carbon_g_per_kwh.size(), spec.power_price_per_kwh.size(), spec.price_percent.size()}
    );
}

Time until_of(const OutlookSpec& spec) { return spec.from + std::chrono::hours(hours_of(spec)); }

OutlookState state_of(const SiteOutlook& outlook, Time now) {
    if (now >= until_of(outlook.spec)) return OutlookState::expired;
    return now >= outlook.stated_at + kOutlookGoodFor ? OutlookState::stale : OutlookState::fresh;
}

Result<void> validate(const OutlookSpec& spec, Time now) {
    TRY(check_lengths(spec));
    if (std::chrono::floor<std::chrono::hours>(spec.from) != spec.from)
        return bad("from", "must be a full hour of UTC, for instance 2026-11-24T08:00:00Z");
    if (spec.from > now)
        return bad(
            "from", "lies in the future: begin with the current hour, " +
                        to_rfc3339(std::chrono::floor<std::chrono::hours>(now)) +
                        ", so that none before it is unknown"
        );
    if (until_of(spec) <= now)
        return bad(
            "from", "all hours are over (the last ended at " + to_rfc3339(until_of(spec)) +
                        "): state hours to come"
        );
    TRY(check_values("carbon_g_per_kwh", spec.carbon_g_per_kwh, 0, kCarbonPerKwhMax));
    TRY(check_values(
        "power_price_per_kwh", spec.power_price_per_kwh, -kPowerPriceMax, kPowerPriceMax
    ));
    for (std::size_t i = 0; i < spec.price_percent.size(); ++i)
        if (spec.price_percent[i] < 1 || spec.price_percent[i] > 100)
            return bad(
                at("price_percent", i),
                "must be from 1 to 100: the list price is the most that is charged"
            );
    constexpr std::size_t kSourceLengthMax = 200;
    if (spec.source.size() > kSourceLengthMax)
        return bad("source", "must have at most 200 characters");
    return {};
}

OutlookAge age_of(const SiteOutlook& outlook, Time now) {
    return {
        .state = state_of(outlook, now),
        .age_seconds =
            std::chrono::duration_cast<std::chrono::seconds>(now - outlook.stated_at).count()
    };
}

OutlookView view_of(const SiteOutlook& outlook, std::string site, Time now) {
    const OutlookAge age = age_of(outlook, now);
    return {
        .site_id = outlook.site_id,
        .site = std::move(site),
        .state = age.state,
        .age_seconds = age.age_seconds,
        .stated_at = outlook.stated_at,
        .stale_at = outlook.stated_at + kOutlookGoodFor,
        .until = until_of(outlook.spec),
        .outlook = outlook.spec
    };
}

}  // namespace penstock
