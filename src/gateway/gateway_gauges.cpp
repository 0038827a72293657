// SPDX-License-Identifier: Apache-2.0
#include "gateway/gateway_gauges.h"

#include <boost/describe/enum_to_string.hpp>
#include <string_view>
#include <vector>

#include "gateway/followed_counter.h"
#include "gateway/lease_gauges.h"
#include "gateway/routing_gauges.h"
#include "telemetry/metrics.h"

namespace penstock::gateway {
namespace {

constexpr Duration kGaugeInterval = 1s;

FollowedCounter waited_for(telemetry::Registry& registry, std::string_view what) {
    return FollowedCounter(registry.counter(
        "penstock_gateway_calls_waited_total",
        "Calls that waited for the server: for their key, or for the limit of which too little was "
        "kept here.",
        {{"for", what}}
    ));
}

// By measure.
std::vector<FollowedCounter> waited_for_limits(telemetry::Registry& registry) {
    std::vector<FollowedCounter> waited;
    for (std::size_t measure = 0; measure < Budget::kMeasures; ++measure)
        waited.push_back(
            waited_for(registry, boost::describe::enum_to_string(static_cast<Measure>(measure), ""))
        );
    return waited;
}

}  // namespace

io::Task<void> refresh_gauges(GaugeSources of, telemetry::Registry* registry) {
    telemetry::Gauge& calls = registry->gauge(
        "penstock_gateway_calls_in_flight", "Calls from admission to their last byte."
    );
    telemetry::Gauge& holds =
        registry->gauge("penstock_gateway_holds_open", "Holds that are neither charged nor free.");
    telemetry::Gauge& held =
        registry->gauge("penstock_gateway_held_yuan", "Sum of the open holds.");
    telemetry::Gauge& overdue = registry->gauge(
        "penstock_gateway_holds_overdue", "Holds that are past their deadline: a defect."
    );
    telemetry::Gauge& allowances = registry->gauge(
        "penstock_gateway_allowances", "Wallets and limits of which a part is kept here."
    );
    telemetry::Gauge& spool = registry->gauge(
        "penstock_gateway_spool_bytes", "Size of the record of calls that is not settled."
    );
    telemetry::Gauge& breakers = registry->gauge(
        "penstock_gateway_breakers_open", "Endpoints that are left alone after failures."
    );
    telemetry::Gauge& keys =
        registry->gauge("penstock_gateway_keys_cached", "API keys whose answer is remembered.");
    FollowedCounter forgotten(registry->counter(
        "penstock_gateway_keys_forgotten_total",
        "API keys that made room for others; their next call asks the server again."
    ));
    FollowedCounter waited_for_key = waited_for(*registry, "key");
    std::vector<FollowedCounter> waited = waited_for_limits(*registry);
    telemetry::Gauge& held_calls = registry->gauge(
        "penstock_gateway_calls_held", "Calls that wait for the first replica of a service."
    );
    RoutingGauges routing(*registry);
    LeaseGauges leases(*registry);
    while (true) {
        calls.set(static_cast<double>(of.calls_running));
        held_calls.set(static_cast<double>(of.held.held()));
        holds.set(static_cast<double>(of.budget.pool().holds_open()));
        held.set(static_cast<double>(of.budget.pool().held().micro()) / 1e6);
        overdue.set(static_cast<double>(of.budget.pool().holds_overdue(of.clock.now())));
        allowances.set(static_cast<double>(of.budget.pool().accounts()));
        spool.set(static_cast<double>(of.spool.bytes()));
        breakers.set(static_cast<double>(of.endpoints.open_breakers(of.clock.now())));
        routing.refresh(of.endpoints, of.clock.now());
        leases.refresh(of.budget.pool(), of.budget.holder(), of.clock.now());
        keys.set(static_cast<double>(of.authenticator.cache().size()));
        of.idempotent.refresh_gauges();
        forgotten.reach(of.authenticator.cache().forgotten());
        waited_for_key.reach(of.authenticator.calls_waited());
        for (std::size_t measure = 0; measure < waited.size(); ++measure)
            waited[measure].reach(of.budget.calls_waited()[measure]);
        co_await io::sleep_for(kGaugeInterval);
    }
}

}  // namespace penstock::gateway
