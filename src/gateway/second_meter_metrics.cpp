// SPDX-License-Identifier: Apache-2.0
#include "gateway/second_meter_metrics.h"

#include "routing/second_meter.h"

namespace penstock::gateway {

SecondMeterMetrics::Series& SecondMeterMetrics::series_of(const EndpointId& endpoint) {
    const auto found = endpoints_.find(endpoint);
    if (found != endpoints_.end()) return found->second;
    if (endpoints_.size() < kEndpointsMax)
        return endpoints_.emplace(endpoint, made_for(to_string(endpoint))).first->second;
    if (!other_) other_ = made_for("other");
    return *other_;
}

SecondMeterMetrics::Series SecondMeterMetrics::made_for(std::string_view id) {
    Series series;
    const auto tokens = [&](std::string_view side, std::string_view meter) {
        return &registry_.counter(
            "penstock_gateway_second_meter_tokens_total",
            "Tokens of calls that both the engine and the gateway counted.",
            {{"endpoint", id}, {"side", side}, {"meter", meter}}
        );
    };
    const auto largest = [&](std::string_view side) {
        return &registry_.gauge(
            "penstock_gateway_second_meter_difference_max",
            "Largest difference of one call, as a share of what its engine told.",
            {{"endpoint", id}, {"side", side}}
        );
    };
    series.input_told = tokens("input", "engine");
    series.input_counted = tokens("input", "gateway");
    series.output_told = tokens("output", "engine");
    series.output_counted = tokens("output", "gateway");
    series.input_difference_max = largest("input");
    series.output_difference_max = largest("output");
    return series;
}

void SecondMeterMetrics::on_record(const CallRecord& call) {
    const std::optional<routing::BothCounts> both = routing::both_counts(call);
    if (!both) return;
    constexpr double kPerOne = 10'000;
    Series& series = series_of(call.endpoint_id);
    routing::add(series.meter, call);
    series.input_told->add(static_cast<std::uint64_t>(both->input_told));
    series.input_counted->add(static_cast<std::uint64_t>(both->input_counted));
    series.output_told->add(static_cast<std::uint64_t>(both->output_told));
    series.output_counted->add(static_cast<std::uint64_t>(both->output_counted));
    series.input_difference_max->set(
        static_cast<double>(series.meter.input_difference_max) / kPerOne
    );
    series.output_difference_max->set(
        static_cast<double>(series.meter.output_difference_max) / kPerOne
    );
}

}  // namespace penstock::gateway
