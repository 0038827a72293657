// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "routing/endpoint_pool.h"
#include "routing/route_filter.h"

// Which endpoints a call may use, and why it may not use the others.
namespace penstock::routing {
namespace {

// Which classes a call will have nobody knows before it has run: the dearest one of each side
// counts.
bool within(
    const TokenPrices& dearest, const std::optional<Price>& input_max,
    const std::optional<Price>& output_max
) {
    return (!input_max || compare_prices(dearest.input, *input_max) <= 0) &&
           (!output_max || compare_prices(dearest.output, *output_max) <= 0);
}

bool contains(const std::vector<std::string>& names, std::string_view name) {
    return std::ranges::find(names, name) != names.end();
}

bool in_regions(const std::vector<std::string>& regions, std::string_view region) {
    return std::ranges::any_of(regions, [&](const std::string& wanted) {
        return region.starts_with(wanted) &&
               (region.size() == wanted.size() || region[wanted.size()] == '-');
    });
}

// Of the lists of a key's limits.
bool in_all(std::span<const std::vector<std::string>* const> lists, const std::string& name) {
    return std::ranges::all_of(lists, [&](const std::vector<std::string>* list) {
        return std::ranges::find(*list, name) != list->end();
    });
}

}  // namespace

FilterReason refused_by(const ProviderPreferences& wanted, const Route& route) {
    const Endpoint& endpoint = route.endpoint;
    if (contains(wanted.ignore, endpoint.provider)) return FilterReason::provider_ignored;
    if (!wanted.only.empty() && !contains(wanted.only, endpoint.provider))
        return FilterReason::provider_not_in;
    if (!wanted.allow_fallbacks && !wanted.order.empty() &&
        !contains(wanted.order, endpoint.provider))
        return FilterReason::provider_not_in;
    if (!wanted.regions.empty() && !in_regions(wanted.regions, route.region))
        return FilterReason::region;
    if (!wanted.quantizations.empty() &&
        !contains(wanted.quantizations, endpoint.quantization.value_or("unknown")))
        return FilterReason::quantization;
    const DataPolicy policy = endpoint.data_policy.value_or(DataPolicy::collects);
    if ((wanted.zero_retention && policy != DataPolicy::zero_retention) ||
        (wanted.deny_data_collection && policy == DataPolicy::collects))
        return FilterReason::data_policy;
    return FilterReason::none;
}

FilterReason EndpointPool::fixed_filter(const State& state, const EndpointQuery& query) {
    const Endpoint& endpoint = state.route().endpoint;
    if (!state.listed || endpoint.state != EndpointState::ready) return FilterReason::not_ready;
    if (!query.protocol.empty() && endpoint.protocol != query.protocol)
        return FilterReason::protocol;
    if (state.route().weight <= 0) return FilterReason::drained;
    const EnginePhase phase = endpoint.phase.value_or(EnginePhase::both);
    if (query.phase != EnginePhase::both && phase != EnginePhase::both && phase != query.phase)
        return FilterReason::phase;
    if (!within(state.dearest, query.input_price_max, query.output_price_max))
        return FilterReason::price_limit;
    if (!in_all(query.providers, endpoint.provider) || !in_all(query.sites, endpoint.site))
        return FilterReason::provider_not_in;
    if (query.preferences != nullptr) {
        const ProviderPreferences& wanted = *query.preferences;
        if (!within(state.dearest, wanted.input_price_max, wanted.output_price_max))
            return FilterReason::price_limit;
        const FilterReason refused = refused_by(wanted, state.route());
        if (refused != FilterReason::none) return refused;
    }
    return FilterReason::none;
}

FilterReason EndpointPool::filter(const State& state, const EndpointQuery& query, Time now) const {
    if (const FilterReason fixed = fixed_filter(state, query); fixed != FilterReason::none)
        return fixed;
    const Endpoint& endpoint = state.route().endpoint;
    if (std::ranges::find(query.excluded, endpoint.id) != query.excluded.end())
        return FilterReason::tried;
    if (query.preferences != nullptr && !query.preferences->allow_fallbacks &&
        query.preferences->order.empty() && !query.excluded.empty()) {
        const auto first = states_.find(query.excluded.front());
        if (first != states_.end() && first->second.route().endpoint.provider != endpoint.provider)
            return FilterReason::provider_not_in;
    }
    if (!state.breaker.lets_through(now))
        return state.breaker.is_slow() ? FilterReason::slow : FilterReason::breaker;
    return FilterReason::none;
}

std::vector<EndpointPool::Candidate> EndpointPool::survivors(
    const Model& model, const EndpointQuery& query, Time now
) {
    decision_.candidates.reserve(model.endpoints.size());  // notes stay where they are
    std::vector<Candidate> candidates;
    std::vector<Candidate> slow;
    for (State* const state : model.endpoints) {
        CandidateNote& note = decision_.candidates.emplace_back();
        note.endpoint_id = state->route().endpoint.id;
        note.in_flight = state->in_flight;
        note.filtered = filter(*state, query, now);
        if (note.filtered == FilterReason::none) candidates.push_back({state, &note});
        if (note.filtered == FilterReason::slow) slow.push_back({state, &note});
    }
    // A slow engine is better than none.
    if (candidates.empty()) {
        candidates = std::move(slow);
        for (const Candidate& candidate : candidates) candidate.note->filtered = FilterReason::none;
    }
    return candidates;
}

Error EndpointPool::no_candidate(const EndpointQuery& query) const {
    const std::string model(query.model);
    bool may_come = false;  // without a change of the call
    bool all_price = true;
    for (const CandidateNote& note : decision_.candidates) {
        switch (note.filtered) {
            case FilterReason::protocol:
            case FilterReason::price_limit:
                break;
            case FilterReason::provider_not_in:
            case FilterReason::provider_ignored:
            case FilterReason::region:
            case FilterReason::quantization:
            case FilterReason::data_policy:
                all_price = false;
                break;
            case FilterReason::none:
            case FilterReason::not_ready:
            case FilterReason::tried:
            case FilterReason::breaker:
            case FilterReason::slow:
            case FilterReason::phase:
            case FilterReason::drained:
            case FilterReason::lower_order:
                all_price = false;
                may_come |=
                    note.filtered == FilterReason::tried || note.filtered == FilterReason::breaker;
                break;
        }
    }
    const bool any_refused = std::ranges::any_of(decision_.candidates, [](const auto& note) {
        return note.filtered == FilterReason::price_limit ||
               note.filtered == FilterReason::provider_not_in ||
               note.filtered == FilterReason::provider_ignored ||
               note.filtered == FilterReason::region ||
               note.filtered == FilterReason::quantization ||
               note.filtered == FilterReason::data_policy;
    });
    if (all_price)
        return {
            ErrorCode::invalid_argument,
            "every provider of '" + model +
                "' asks more than the price limit of this call for at least one class of tokens "
                "(GET /v1/models lists them)",
            "model"
        };
    if (any_refused && !may_come)
        return {
            ErrorCode::invalid_argument,
            "no ready provider of '" + model +
                "' is within what 'provider' and the price limits of this call allow",
            "provider"
        };
    return {
        ErrorCode::unavailable, "no engine for '" + model + "' can take a call now", std::string()
    };
}

}  // namespace penstock::routing
