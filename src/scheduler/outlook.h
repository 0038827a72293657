// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "base/money.h"
#include "base/time.h"
#include "model/outlook.h"

namespace penstock::scheduler {

// A figure that changes by the hour: value i holds for an hour from `from` + i hours on. Sums are
// kept, so that a mean over any span costs the same.
class HourlySeries {
  public:
    HourlySeries() = default;
    HourlySeries(Time from, const std::vector<double>& values);

    bool empty() const { return sums_.size() <= 1; }
    Time from() const { return from_; }
    Time until() const;  // where the last hour ends
    // Over [start, start + span), parts of hours by their length; absent unless all of it is known.
    // A span of zero gives the value at `start`.
    std::optional<double> mean(Time start, Duration span) const;

  private:
    double sum_until(Time time) const;  // of value × hours, from `from_` on
    Time from_;
    std::vector<double> sums_;  // sums_[i]: of the first i hours
};

// What is known of a site's hours to come. Borrowed for the call.
struct Outlook {
    HourlySeries carbon_g_per_kwh;  // empty: the site's own figure holds for every hour
    // Yuan, may be negative; empty: power is in the list price. It enters the term cost; who
    // charges it has to hold it beside Plan::hold.
    HourlySeries power_price_per_kwh;
    // Of the list price, from `percents_from` on by the hour: what is placed in an hour pays it
    // until it ends. An hour that is not listed costs the list price.
    Time percents_from;
    std::vector<std::int64_t> price_percents;
    std::optional<SiteOutlook>
        stated;  // what it was made of; its age decides whether it is believed

    std::optional<std::int64_t> price_percent_at(Time time) const;
    // False: the series say nothing any more, all of it is unknown.
    bool believed(Time now) const;
};

// Of what a site states. The price of power is left out: nobody charges it.
Outlook outlook_of(const SiteOutlook& stated);

// How staged bytes come to a site from where they lie, where that is known by pair.
struct Route {
    double rtt_ms = 0;
    double bandwidth_mbps = 0;
    std::optional<Price> egress_per_gb;  // absent: unknown
};

}  // namespace penstock::scheduler
