// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <tuple>

#include "routing/endpoint_pool.h"

namespace penstock::routing {

EndpointStatus EndpointPool::status_of(const State& state, Time now) const {
    const Route& route = state.route();
    EndpointStatus status{
        .endpoint_id = route.endpoint.id,
        .model = route.endpoint.model,
        .provider = route.endpoint.provider,
        .site = route.endpoint.site,
        .state = route.endpoint.state,
        .weight = route.weight,
        .calls_in_flight = state.in_flight,
        .calls_waiting = state.waiting,
        .breaker = state.breaker.status(now)
    };
    if (const auto model = models_.find(status.model); model != models_.end())
        status.retries_left = model->second.retries.retries_left();
    if (const auto known = suppliers_.find(state.supplier); known != suppliers_.end()) {
        const SupplierFigures figures = known->second.figures(now);
        status.first_token_ms_p50 = figures.first_token_ms_p50.value;
        status.first_token_ms_p95 = figures.first_token_ms_p95.value;
        status.tokens_per_second_p50 = figures.tokens_per_second_p50.value;
        status.success_share = figures.success_share.value;
        status.samples = figures.success_share.samples;
    }
    if (const std::optional<EngineRates::Rates> rates = state.rates.own().rates(now)) {
        status.base_ms = rates->base_ms;
        status.ms_per_token = rates->ms_per_token;
        status.ms_per_block = rates->ms_per_block;
    }
    if (state.load_at && now - *state.load_at <= kLoadFreshFor) {
        status.cache_used_share = state.load.cache_used_share;
        status.engine_calls_waiting = state.load.calls_waiting;
    }
    return status;
}

std::optional<EndpointPool::Standing> EndpointPool::standing(const EndpointId& id, Time now) const {
    const auto found = states_.find(id);
    if (found == states_.end() || !found->second.listed) return std::nullopt;
    const State& state = found->second;
    Standing standing{
        .open =
            state.route().endpoint.state == EndpointState::ready && state.breaker.lets_through(now),
        .in_flight = state.in_flight
    };
    if (state.load_at && now - *state.load_at <= kLoadFreshFor) standing.load = state.load;
    return standing;
}

std::vector<EndpointPool::ModelStanding> EndpointPool::model_standings(Time now) const {
    std::vector<ModelStanding> out;
    out.reserve(models_.size());
    for (const auto& [name, model] : models_) {
        ModelStanding& standing = out.emplace_back(ModelStanding{.model = name});
        for (const State* state : model.endpoints)
            ++standing.breakers.at(static_cast<std::size_t>(state->breaker.state(now)));
        standing.retries_left = model.retries.retries_left();
    }
    return out;
}

std::vector<EndpointStatus> EndpointPool::statuses(
    Time now, std::size_t most, std::int64_t* left_out
) const {
    std::vector<const State*> shown;
    for (const auto& [name, model] : models_)
        shown.insert(shown.end(), model.endpoints.begin(), model.endpoints.end());
    const auto rank = [&](const State* state) {
        const bool quiet =
            state->in_flight == 0 && state->breaker.state(now) == Breaker::State::closed;
        const Endpoint& endpoint = state->route().endpoint;
        return std::tuple<bool, std::string_view, EndpointId>(quiet, endpoint.model, endpoint.id);
    };
    const std::size_t count = std::min(most, shown.size());
    *left_out = static_cast<std::int64_t>(shown.size() - count);
    std::ranges::partial_sort(shown, shown.begin() + static_cast<std::ptrdiff_t>(count), {}, rank);
    std::vector<EndpointStatus> out;
    out.reserve(count);
    for (std::size_t i = 0; i < count; ++i) out.push_back(status_of(*shown[i], now));
    return out;
}

}  // namespace penstock::routing
