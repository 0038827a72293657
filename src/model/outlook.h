// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "model/ids.h"

// What a site says of its hours to come.
namespace penstock {

constexpr std::size_t kOutlookHoursMax = 336;  // two weeks
// What was stated longer ago is not believed any more: its grid carbon counts as unknown.
constexpr Duration kOutlookGoodFor = 48h;
constexpr double kCarbonPerKwhMax = 5000;
constexpr double kPowerPriceMax = 1000;  // yuan per kWh, and as much below zero

// As a provider states it: value i of each list holds for an hour from `from` + i hours on. Lists
// that are there have as many values as each other.
struct OutlookSpec {
    static constexpr bool kJsonDefaults = true;
    Time from;                                // a full hour of UTC, not in the future
    std::vector<double> carbon_g_per_kwh;     // of the grid; empty: the site's own figure holds
    std::vector<double> power_price_per_kwh;  // yuan, may be negative: shown and not charged
    // What work that is placed in that hour pays of the list price, 1…100, until it ends. An hour
    // that is not listed costs the list price.
    std::vector<std::int64_t> price_percent;
    std::string source;  // who says so: "grid operator, day ahead"
    bool operator==(const OutlookSpec&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    OutlookSpec, (), (from, carbon_g_per_kwh, power_price_per_kwh, price_percent, source)
)

struct SiteOutlook {
    SiteId site_id;
    OutlookSpec spec;
    Time stated_at;  // when the platform took it
    bool operator==(const SiteOutlook&) const = default;
};
BOOST_DESCRIBE_STRUCT(SiteOutlook, (), (site_id, spec, stated_at))

// expired: its hours are over. stale: stated too long ago.
enum class OutlookState { fresh, stale, expired };
BOOST_DESCRIBE_ENUM(OutlookState, fresh, stale, expired)

std::size_t hours_of(const OutlookSpec& spec);
Time until_of(const OutlookSpec& spec);
OutlookState state_of(const SiteOutlook& outlook, Time now);
// Full hours, no holes, values in range, hours to come; the error names field and remedy.
Result<void> validate(const OutlookSpec& spec, Time now);

// How old what a candidate's terms rest on is.
struct OutlookAge {
    OutlookState state = OutlookState::fresh;
    std::int64_t age_seconds = 0;
    bool operator==(const OutlookAge&) const = default;
};
BOOST_DESCRIBE_STRUCT(OutlookAge, (), (state, age_seconds))

OutlookAge age_of(const SiteOutlook& outlook, Time now);

// An outlook as it is shown.
struct OutlookView {
    SiteId site_id;
    std::string site;
    OutlookState state = OutlookState::fresh;
    std::int64_t age_seconds = 0;
    Time stated_at;
    Time stale_at;  // unless it is stated anew
    Time until;     // where its last hour ends
    OutlookSpec outlook;
    bool operator==(const OutlookView&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    OutlookView, (), (site_id, site, state, age_seconds, stated_at, stale_at, until, outlook)
)
OutlookView view_of(const SiteOutlook& outlook, std::string site, Time now);

}  // namespace penstock
