// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>
#include <unordered_map>

#include "model/endpoint.h"
#include "telemetry/metrics.h"

namespace penstock::gateway {

// What engines told and the gateway counted, by endpoint: sums, and the largest difference of one
// call as a share of what the engine told. The first kEndpointsMax have series of their own, all
// later ones share those of the endpoint "other".
class SecondMeterMetrics {
  public:
    static constexpr std::size_t kEndpointsMax = 200;  // each has four of telemetry::kSeriesMax
    explicit SecondMeterMetrics(telemetry::Registry& registry) : registry_(registry) {}
    void on_record(const CallRecord& call);

  private:
    struct Series {
        SecondMeter meter;
        telemetry::Counter* input_told = nullptr;
        telemetry::Counter* input_counted = nullptr;
        telemetry::Counter* output_told = nullptr;
        telemetry::Counter* output_counted = nullptr;
        telemetry::Gauge* input_difference_max = nullptr;
        telemetry::Gauge* output_difference_max = nullptr;
    };
    Series& series_of(const EndpointId& endpoint);
    Series made_for(std::string_view endpoint);

    telemetry::Registry& registry_;
    std::unordered_map<EndpointId, Series> endpoints_;
    std::optional<Series> other_;
};

}  // namespace penstock::gateway
