// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "gateway/followed_counter.h"
#include "routing/endpoint_pool.h"
#include "telemetry/metrics.h"

namespace penstock::gateway {

// What the choice of engines works with: breakers and retries of each model, and what is remembered
// of prompts and sessions. The first kModelsMax models have series of their own, all later ones
// share those of "other": their breakers together, and the fewest retries of any.
class RoutingGauges {
  public:
    // Each has as many of telemetry::kSeriesMax as a breaker has states.
    static constexpr std::size_t kModelsMax = 200;
    explicit RoutingGauges(telemetry::Registry& registry);
    void refresh(const routing::EndpointPool& endpoints, Time now);

  private:
    using Standing = routing::EndpointPool::ModelStanding;
    struct Series {
        std::array<telemetry::Gauge*, routing::kBreakerStates> breakers{};
        telemetry::Gauge* retries = nullptr;
        std::optional<Standing> seen;  // in this round
    };
    struct Index {
        telemetry::Gauge& bytes;
        telemetry::Gauge& bytes_max;
        FollowedCounter evictions;
    };
    Series made_for(std::string_view model);
    Series& series_of(std::string_view model);
    Index index_named(std::string_view name);
    static void show(Series& series);
    static void show(Index& index, const routing::PrefixIndex& prefixes);

    telemetry::Registry& registry_;
    std::map<std::string, Series, std::less<>> models_;
    std::optional<Series> other_;
    Index prompts_;
    Index sessions_;
};

}  // namespace penstock::gateway
