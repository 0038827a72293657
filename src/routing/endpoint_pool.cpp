// SPDX-License-Identifier: Apache-2.0
#include "routing/endpoint_pool.h"

#include <algorithm>
#include <set>

#include "base/check.h"

namespace penstock::routing {
namespace {

// a ≤ b, exactly: num_a × 10^scale_b ≤ num_b × 10^scale_a.
std::strong_ordering compare(const Price& a, const Price& b) {
    __int128 left = a.num;
    __int128 right = b.num;
    for (int i = a.scale; i < b.scale; ++i) left *= 10;
    for (int i = b.scale; i < a.scale; ++i) right *= 10;
    return left <=> right;
}

bool within(const Price& price, const std::optional<Price>& max) {
    return !max || compare(price, *max) <= 0;
}

// What one input and one output token cost together: the order of "cheaper" among equals.
std::strong_ordering compare_cost(const Endpoint& a, const Endpoint& b) {
    const std::strong_ordering output = compare(a.price_output, b.price_output);
    return output != 0 ? output : compare(a.price_input, b.price_input);
}

TokenPrices prices_of(const Route& route) {
    return {route.endpoint.price_input, route.endpoint.price_output};
}

bool is_excluded(const EndpointQuery& query, const EndpointId& id) {
    return std::ranges::find(query.excluded, id) != query.excluded.end();
}

bool is_in_all(
    std::span<const std::vector<std::string>* const> lists, const std::string& name
) {
    return std::ranges::all_of(lists, [&](const std::vector<std::string>* list) {
        return std::ranges::find(*list, name) != list->end();
    });
}

}  // namespace

bool EndpointPool::State::usable(const EndpointQuery& query) const {
    return listed && route.endpoint.state == EndpointState::ready &&
           within(route.endpoint.price_input, query.input_price_max) &&
           within(route.endpoint.price_output, query.output_price_max) &&
           is_in_all(query.providers, route.endpoint.provider) &&
           is_in_all(query.sites, route.endpoint.site);
}

std::vector<std::string> EndpointPool::replace(std::vector<Route> routes) {
    std::vector<std::string> refused;
    by_model_.clear();
    for (auto& [id, state] : states_) state.listed = false;
    for (Route& route : routes) {
        const Endpoint& endpoint = route.endpoint;
        if (endpoint.state == EndpointState::deleted) continue;
        if (endpoint.protocol != "openai") {
            refused.push_back(
                to_string(endpoint.id) + ": protocol '" + endpoint.protocol + "' is not spoken here"
            );
            continue;
        }
        if (const Result<ExactMoney> one =
                charge_of({.input_fresh = 1, .output_visible = 1}, prices_of(route));
            !one) {
            refused.push_back(to_string(endpoint.id) + ": " + one.error().message);
            continue;
        }
        by_model_[endpoint.model].push_back(endpoint.id);
        State& state = states_[endpoint.id];
        state.listed = true;
        state.route = std::move(route);
    }
    std::erase_if(states_, [](const auto& entry) {
        return !entry.second.listed && entry.second.in_flight == 0;
    });
    return refused;
}

Result<EndpointPool::Choice> EndpointPool::choose(
    const EndpointQuery& query, Time now, Random& random
) {
    const auto known = by_model_.find(query.model);
    if (known == by_model_.end())
        return fail_field(
            ErrorCode::not_found, "model",
            "the model '" + std::string(query.model) + "' does not exist"
        );
    std::vector<State*> candidates;
    bool any_ready = false;
    bool any_within = false;
    for (const EndpointId& id : known->second) {
        State& state = states_.at(id);
        any_ready |= state.route.endpoint.state == EndpointState::ready;
        if (!state.usable(query)) continue;
        any_within = true;
        if (!is_excluded(query, id) && state.closed(now)) candidates.push_back(&state);
    }
    if (any_ready && !any_within)
        return fail_field(
            ErrorCode::invalid_argument, "model",
            "every provider of '" + std::string(query.model) +
                "' asks more than the price limit of this call, or is not among those that its key "
                "may use"
        );
    if (candidates.empty())
        return fail(
            ErrorCode::unavailable,
            "no engine for '" + std::string(query.model) + "' can take a call now"
        );
    const std::size_t first = random.below(candidates.size());
    State* chosen = candidates[first];
    if (candidates.size() > 1) {
        // The second is another one: a step of 1 … size − 1 from the first.
        State* other =
            candidates[(first + 1 + random.below(candidates.size() - 1)) % candidates.size()];
        const auto order = other->in_flight != chosen->in_flight
                               ? other->in_flight <=> chosen->in_flight
                               : compare_cost(other->route.endpoint, chosen->route.endpoint);
        if (order < 0) chosen = other;  // equal ones stay as chance had it
    }
    Choice choice{chosen->route.endpoint.id, chosen->failures >= kFailuresToOpen};
    chosen->probing |= choice.probe;
    ++chosen->in_flight;
    ++in_flight_;
    return choice;
}

void EndpointPool::finish(const Choice& choice, AttemptOutcome outcome, Time now) {
    const auto found = states_.find(choice.endpoint_id);
    CHECK(found != states_.end() && found->second.in_flight > 0, "an endpoint with calls is kept");
    State& state = found->second;
    --state.in_flight;
    --in_flight_;
    if (choice.probe) state.probing = false;
    switch (outcome) {
        case AttemptOutcome::answered:
            state.failures = 0;
            state.opened = 0;
            break;
        case AttemptOutcome::failed: {
            const bool was_open = state.failures >= kFailuresToOpen;
            state.failures = std::min(state.failures + 1, kFailuresToOpen);
            // Calls that were under way when it opened say nothing new.
            if (state.failures < kFailuresToOpen || (was_open && !choice.probe)) break;
            constexpr int kDoublingsMax = 5;
            const Duration span =
                std::min(kOpenMax, kOpenFirst * (1 << std::min(state.opened, kDoublingsMax)));
            state.open_until = now + span;
            ++state.opened;
            break;
        }
        case AttemptOutcome::abandoned:
            break;
    }
    if (!state.listed && state.in_flight == 0) states_.erase(found);
}

Result<Money> EndpointPool::worst_case(const EndpointQuery& query, const TokenBound& bound) const {
    Money most;
    const auto known = by_model_.find(query.model);
    if (known == by_model_.end()) return most;
    for (const EndpointId& id : known->second) {
        const State& state = states_.at(id);
        if (!state.usable(query)) continue;
        most = std::max(most, TRY(routing::worst_case(bound, prices_of(state.route))));
    }
    return most;
}

std::optional<Duration> EndpointPool::retry_after(std::string_view model, Time now) const {
    std::optional<Duration> least;
    const auto known = by_model_.find(model);
    if (known == by_model_.end()) return least;
    for (const EndpointId& id : known->second) {
        const State& state = states_.at(id);
        if (state.closed(now)) continue;
        const Duration left = std::max(Duration{1s}, state.open_until - now);
        least = least ? std::min(*least, left) : left;
    }
    return least;
}

const Route* EndpointPool::find(const EndpointId& id) const {
    const auto found = states_.find(id);
    return found == states_.end() ? nullptr : &found->second.route;
}

std::vector<std::string> EndpointPool::models() const {
    std::vector<std::string> out;
    for (const auto& [model, ids] : by_model_) {
        const bool ready = std::ranges::any_of(ids, [&](const EndpointId& id) {
            return states_.at(id).route.endpoint.state == EndpointState::ready;
        });
        if (ready) out.push_back(model);
    }
    return out;
}

Time EndpointPool::model_created(std::string_view model) const {
    Time oldest = Time::max();
    if (const auto known = by_model_.find(model); known != by_model_.end())
        for (const EndpointId& id : known->second)
            oldest = std::min(oldest, states_.at(id).route.endpoint.created_at);
    return oldest == Time::max() ? Time() : oldest;
}

std::string EndpointPool::model_owner(std::string_view model) const {
    std::set<std::string_view> providers;
    if (const auto known = by_model_.find(model); known != by_model_.end())
        for (const EndpointId& id : known->second)
            providers.insert(states_.at(id).route.endpoint.provider);
    std::string out;
    for (const std::string_view provider : providers)
        out.append(out.empty() ? "" : ", ").append(provider);
    return out;
}

std::size_t EndpointPool::open_breakers(Time now) const {
    return static_cast<std::size_t>(std::ranges::count_if(states_, [&](const auto& entry) {
        return !entry.second.closed(now);
    }));
}

void RetryBudget::on_call() { tenths_ = std::min(tenths_ + 1, kTokensMax * kCallsPerRetry); }

bool RetryBudget::try_retry() {
    if (tenths_ < kCallsPerRetry) return false;
    tenths_ -= kCallsPerRetry;
    return true;
}

}  // namespace penstock::routing
