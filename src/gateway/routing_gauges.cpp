// SPDX-License-Identifier: Apache-2.0
#include "gateway/routing_gauges.h"

#include <algorithm>
#include <boost/describe/enum_to_string.hpp>
#include <limits>

namespace penstock::gateway {

RoutingGauges::RoutingGauges(telemetry::Registry& registry)
    : registry_(registry), prompts_(index_named("prompts")), sessions_(index_named("sessions")) {}

void RoutingGauges::refresh(const routing::EndpointPool& endpoints, Time now) {
    for (const Standing& standing : endpoints.model_standings(now)) {
        std::optional<Standing>& seen = series_of(standing.model).seen;
        if (!seen) {
            seen = standing;
            continue;
        }
        for (std::size_t state = 0; state < standing.breakers.size(); ++state)
            seen->breakers[state] += standing.breakers[state];
        seen->retries_left = std::min(seen->retries_left, standing.retries_left);
    }
    for (auto& [name, series] : models_) show(series);
    if (other_) show(*other_);
    show(prompts_, endpoints.prefixes());
    show(sessions_, endpoints.sessions());
}

RoutingGauges::Series RoutingGauges::made_for(std::string_view model) {
    Series series;
    for (std::size_t state = 0; state < series.breakers.size(); ++state)
        series.breakers[state] = &registry_.gauge(
            "penstock_gateway_breakers",
            "Endpoints of the route table by the state of their breaker; open: left alone after "
            "failures or for slowness.",
            {{"model", model},
             {"state", boost::describe::enum_to_string(static_cast<BreakerState>(state), "unknown")}
            }
        );
    series.retries = &registry_.gauge(
        "penstock_gateway_retries_left",
        "Second attempts and hedges that the model's budget allows now.", {{"model", model}}
    );
    return series;
}

RoutingGauges::Series& RoutingGauges::series_of(std::string_view model) {
    if (const auto known = models_.find(model); known != models_.end()) return known->second;
    if (models_.size() < kModelsMax)
        return models_.emplace(std::string(model), made_for(model)).first->second;
    if (!other_) other_ = made_for("other");
    return *other_;
}

RoutingGauges::Index RoutingGauges::index_named(std::string_view name) {
    return {
        .bytes = registry_.gauge(
            "penstock_gateway_prefix_index_bytes",
            "Memory of what is known of prompts in engines' caches, and of where sessions were.",
            {{"index", name}}
        ),
        .bytes_max = registry_.gauge(
            "penstock_gateway_prefix_index_bytes_max", "The most that it may take.",
            {{"index", name}}
        ),
        .evictions = FollowedCounter(registry_.counter(
            "penstock_gateway_prefix_index_evictions_total",
            "Blocks that made room for others; those unused for longest go first.",
            {{"index", name}}
        ))
    };
}

// A model that has left the table has no endpoints, and nobody knows what it may retry.
void RoutingGauges::show(Series& series) {
    const std::optional<Standing> seen = std::exchange(series.seen, std::nullopt);
    for (std::size_t state = 0; state < series.breakers.size(); ++state)
        series.breakers[state]->set(seen ? static_cast<double>(seen->breakers[state]) : 0);
    series.retries->set(seen ? seen->retries_left : std::numeric_limits<double>::quiet_NaN());
}

void RoutingGauges::show(Index& index, const routing::PrefixIndex& prefixes) {
    index.bytes.set(static_cast<double>(prefixes.bytes()));
    index.bytes_max.set(static_cast<double>(prefixes.bytes_max()));
    index.evictions.reach(static_cast<std::uint64_t>(prefixes.evictions()));
}

}  // namespace penstock::gateway
