// SPDX-License-Identifier: Apache-2.0
#include "routing/endpoint_pool.h"

#include <algorithm>
#include <array>
#include <set>

#include "base/check.h"

namespace penstock::routing {
namespace {

constexpr std::array<std::string_view, 3> kProtocols{"openai", "anthropic", "ollama"};

// Why a route cannot be used at all; nothing if it can.
std::optional<std::string> defect_of(const Route& route) {
    if (std::ranges::find(kProtocols, route.endpoint.protocol) == kProtocols.end())
        return "protocol '" + route.endpoint.protocol + "' is not spoken here";
    const Result<void> fine = check(prices_of(route.endpoint));
    return fine ? std::nullopt : std::optional(to_string(fine.error()));
}

}  // namespace

std::vector<std::string> EndpointPool::replace(std::vector<Route> routes) {
    std::vector<std::string> refused;
    for (auto& [name, model] : models_) {
        model.endpoints.clear();
        model.protocols.clear();
        model.has_phases = false;
        model.indexes.clear();
    }
    for (auto& [id, state] : states_) {
        state.listed = false;
        state.places.clear();
    }
    for (Route& route : routes) {
        const Endpoint& endpoint = route.endpoint;
        if (endpoint.state == EndpointState::deleted) continue;
        if (const std::optional<std::string> defect = defect_of(route)) {
            refused.push_back(to_string(endpoint.id) + ": " + *defect);
            continue;
        }
        const auto [found, added] = states_.try_emplace(endpoint.id);
        State& state = found->second;
        if (state.listed) {
            refused.push_back(to_string(endpoint.id) + ": stands twice in the table");
            continue;
        }
        Model& model = models_[endpoint.model];
        model.endpoints.push_back(&state);
        model.protocols.insert(endpoint.protocol);
        model.has_phases |= endpoint.phase.value_or(EnginePhase::both) != EnginePhase::both;
        if (added) {
            state.backend = backends_++;
            by_backend_.emplace(state.backend, &state);
        }
        // An engine's own rates are known beside those of its model, or not at all.
        const bool is_elsewhere = !added && state.route().endpoint.model != endpoint.model;
        if (is_elsewhere || state.rates.own().samples() > model.rates.samples()) state.rates = {};
        state.listed = true;
        state.dearest = dearest_prices(prices_of(endpoint));
        state.supplier = {endpoint.provider, endpoint.model};
        state.shared = std::make_shared<const Route>(std::move(route));
    }
    std::erase_if(models_, [](const auto& entry) { return entry.second.endpoints.empty(); });
    std::erase_if(suppliers_, [&](const auto& entry) {
        return !models_.contains(entry.first.second);
    });
    std::erase_if(states_, [&](const auto& entry) {
        if (entry.second.listed || entry.second.in_flight > 0) return false;
        by_backend_.erase(entry.second.backend);
        return true;
    });
    return refused;
}

const UsageHabit* EndpointPool::habit(const EndpointId& id) const {
    const auto found = states_.find(id);
    return found == states_.end() ? nullptr : &found->second.habit;
}

bool EndpointPool::has_model(std::string_view model, std::string_view protocol) const {
    const auto known = models_.find(model);
    return known != models_.end() && known->second.protocols.contains(protocol);
}

bool EndpointPool::has_model_beside(std::string_view model, std::string_view protocol) const {
    const auto known = models_.find(model);
    if (known == models_.end()) return false;
    const auto& protocols = known->second.protocols;
    return protocols.size() > (protocols.contains(protocol) ? 1U : 0U);
}

void EndpointPool::first_token(Choice& choice, Duration after, Time now) {
    const auto found = states_.find(choice.endpoint_id);
    CHECK(found != states_.end(), "an endpoint with calls is kept");
    State& state = found->second;
    if (!choice.waiting) return;
    changed(state);
    choice.waiting = false;
    --state.waiting;
    state.prefill_tokens -= choice.prefill_tokens;
    if (choice.expected_ms)
        state.breaker.first_token(
            to_seconds(after) * 1000 / std::max(1.0, *choice.expected_ms), now
        );
    const Endpoint& endpoint = state.route().endpoint;
    if (const auto model = models_.find(endpoint.model); model != models_.end()) {
        model->second.window.add_first_token(after, now);
        learn(state, model->second, choice.queue, after, now);
    }
    suppliers_[state.supplier].add_first_token(after, now);
}

void EndpointPool::learn(
    State& state, Model& model, const EngineQueue& queue, Duration first_token, Time now
) {
    if (queue.prefill_tokens <= 0) return;
    const double network_ms = state.route().rtt_ms.value_or(0);
    state.rates.learn(queue, first_token, now, model.rates, network_ms);
    const Duration network(static_cast<std::int64_t>(network_ms * 1000));
    model.rates.learn(queue, std::max(Duration(), first_token - network), now);
}

void EndpointPool::finish(const Choice& choice, const AttemptReport& report, Time now) {
    const auto found = states_.find(choice.endpoint_id);
    CHECK(found != states_.end() && found->second.in_flight > 0, "an endpoint with calls is kept");
    State& state = found->second;
    changed(state);
    --state.in_flight;
    --in_flight_;
    state.context_tokens -= choice.context_tokens;
    if (choice.waiting) {
        --state.waiting;
        state.prefill_tokens -= choice.prefill_tokens;
    }
    state.breaker.end(choice.probe, report.outcome, now);
    if (report.usage) state.habit.add(*report.usage);
    const Endpoint& endpoint = state.route().endpoint;
    if (report.outcome != AttemptOutcome::abandoned)
        suppliers_[state.supplier].add(
            {.succeeded = report.outcome == AttemptOutcome::answered,
             .tokens_per_second = report.tokens_per_second,
             .tokens = report.tokens_charged,
             .charge = report.charge},
            now
        );
    if (const auto model = models_.find(endpoint.model);
        model != models_.end() && report.output_tokens > 0) {
        constexpr double kNewest = 0.05;
        double& mean = model->second.output_tokens_mean;
        mean += kNewest * (static_cast<double>(report.output_tokens) - mean);
    }
    if (state.listed || state.in_flight > 0) return;
    by_backend_.erase(state.backend);
    states_.erase(found);
}

void EndpointPool::on_load(const EndpointId& id, const EngineLoad& load, Time now) {
    if (const auto found = states_.find(id); found != states_.end()) {
        changed(found->second);
        found->second.load = load;
        found->second.load_at = now;
    }
}

void EndpointPool::on_stored(const EndpointId& id, BlockHash block, Time now) {
    if (const auto found = states_.find(id); found != states_.end())
        prefixes_.stored(found->second.backend, block, now);
}

void EndpointPool::on_removed(const EndpointId& id, BlockHash block) {
    if (const auto found = states_.find(id); found != states_.end())
        prefixes_.removed(found->second.backend, block);
}

// Breakers and what was tried may be different when the call has its turn.
Result<Money> EndpointPool::worst_case(const EndpointQuery& query, const TokenBound& bound) {
    Money most;
    const auto known = models_.find(query.model);
    if (known == models_.end()) return most;
    if (const Indexed* indexed = index_of(known->second, query, false))
        return indexed->index.worst_case(bound);
    for (const State* const state : known->second.endpoints)
        if (fixed_filter(*state, query) == FilterReason::none)
            most =
                std::max(most, TRY(routing::worst_case(bound, prices_of(state->route().endpoint))));
    return most;
}

bool EndpointPool::has_allowed(const EndpointQuery& query) const {
    const auto known = models_.find(query.model);
    return known != models_.end() &&
           std::ranges::any_of(known->second.endpoints, [&](const State* state) {
               return fixed_filter(*state, query) == FilterReason::none &&
                      std::ranges::find(query.excluded, state->route().endpoint.id) ==
                          query.excluded.end();
           });
}

std::optional<Duration> EndpointPool::retry_after(std::string_view model, Time now) const {
    std::optional<Duration> least;
    const auto known = models_.find(model);
    if (known == models_.end()) return least;
    for (const State* const state : known->second.endpoints) {
        if (state->breaker.lets_through(now)) continue;
        const Duration left = std::max(Duration{1s}, state->breaker.opens_in(now));
        least = least ? std::min(*least, left) : left;
    }
    return least;
}

RetryBudget* EndpointPool::retries(std::string_view model) {
    const auto known = models_.find(model);
    return known == models_.end() ? nullptr : &known->second.retries;
}

std::optional<Duration> EndpointPool::hedge_after(std::string_view model, Time now) const {
    constexpr double kShare = 0.95;
    const auto known = models_.find(model);
    if (known == models_.end() || known->second.endpoints.size() < 2) return std::nullopt;
    const Measured late = known->second.window.first_token_ms(kShare, now);
    if (late.samples < kHedgeSamplesMin) return std::nullopt;
    return Duration(static_cast<std::int64_t>(*late.value * 1000));
}

SupplierFigures EndpointPool::figures(std::string_view provider, std::string_view model, Time now)
    const {
    const auto found = suppliers_.find(std::pair(std::string(provider), std::string(model)));
    return found == suppliers_.end() ? SupplierFigures() : found->second.figures(now);
}

std::shared_ptr<const Route> EndpointPool::find(const EndpointId& id) const {
    const auto found = states_.find(id);
    return found == states_.end() ? nullptr : found->second.shared;
}

bool EndpointPool::has_ready(std::string_view model) const {
    const auto known = models_.find(model);
    return known != models_.end() &&
           std::ranges::any_of(known->second.endpoints, [](const State* state) {
               return state->route().endpoint.state == EndpointState::ready;
           });
}

std::vector<EndpointId> EndpointPool::leaving() const {
    std::vector<EndpointId> out;
    for (const auto& [id, state] : states_)
        if (state.in_flight > 0 &&
            (!state.listed || state.route().endpoint.state != EndpointState::ready))
            out.push_back(id);
    return out;
}

std::vector<std::string> EndpointPool::models() const {
    std::vector<std::string> out;
    for (const auto& [name, model] : models_)
        if (has_ready(name)) out.push_back(name);
    return out;
}

Time EndpointPool::model_created(std::string_view model) const {
    Time oldest = Time::max();
    if (const auto known = models_.find(model); known != models_.end())
        for (const State* const state : known->second.endpoints)
            oldest = std::min(oldest, state->route().endpoint.created_at);
    return oldest == Time::max() ? Time() : oldest;
}

std::vector<std::shared_ptr<const Route>> EndpointPool::routes(std::string_view model) const {
    std::vector<std::shared_ptr<const Route>> out;
    if (const auto known = models_.find(model); known != models_.end())
        for (const State* const state : known->second.endpoints) out.push_back(state->shared);
    return out;
}

std::string EndpointPool::model_owner(std::string_view model) const {
    std::set<std::string_view> providers;
    if (const auto known = models_.find(model); known != models_.end())
        for (const State* const state : known->second.endpoints)
            providers.insert(state->route().endpoint.provider);
    std::string out;
    for (const std::string_view provider : providers)
        out.append(out.empty() ? "" : ", ").append(provider);
    return out;
}

std::int64_t EndpointPool::in_flight(const EndpointId& id) const {
    const auto found = states_.find(id);
    return found == states_.end() ? 0 : found->second.in_flight;
}

std::size_t EndpointPool::open_breakers(Time now) const {
    return static_cast<std::size_t>(std::ranges::count_if(states_, [&](const auto& entry) {
        return !entry.second.breaker.lets_through(now);
    }));
}

}  // namespace penstock::routing
