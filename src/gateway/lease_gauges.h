// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <map>
#include <utility>

#include "base/time.h"
#include "model/allowance.h"
#include "routing/allowance_pool.h"
#include "telemetry/metrics.h"

namespace penstock::gateway {

// How full the leases are, all of one level and measure together: so many series, however many keys
// there are. Reading takes a microsecond or two for each lease, so it is the rarer the more there
// are, and with more than kAccountsMax nothing is told (NaN).
class LeaseGauges {
  public:
    static constexpr std::size_t kAccountsMax = 500;  // a millisecond of the loop
    static constexpr std::size_t kAccountsPerRound = 50;
    explicit LeaseGauges(telemetry::Registry& registry) : registry_(registry) {}
    // Once a second.
    void refresh(const routing::AllowancePool& pool, const routing::LeaseHolder& holder, Time now);

  private:
    using Kind = std::pair<routing::Level, Measure>;
    struct Series {
        telemetry::Gauge& leases;
        telemetry::Gauge& empty;
        telemetry::Gauge& free;
        telemetry::Gauge& held;
    };
    Series& series_of(const AllowanceAccount& account);
    void set_all(double value);

    telemetry::Registry& registry_;
    std::map<Kind, Series> kinds_;
    std::size_t rounds_left_ = 0;  // until they are read again
};

}  // namespace penstock::gateway
