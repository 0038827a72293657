// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"
#include "routing/endpoint_pool.h"

// How a call finds its endpoint: filters → the call's order → score → chance among equals.
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

// For comparing candidates only; charges are rated exactly.
double rough(const Price& price) {
    return static_cast<double>(price.num) * std::pow(10.0, -price.scale);
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

FilterReason refused_by(const ProviderPreferences& wanted, const Route& route) {
    const Endpoint& endpoint = route.endpoint;
    if (!within(endpoint.price_input, wanted.input_price_max) ||
        !within(endpoint.price_output, wanted.output_price_max))
        return FilterReason::price_limit;
    if (contains(wanted.ignore, endpoint.provider)) return FilterReason::provider_ignored;
    if (!wanted.only.empty() && !contains(wanted.only, endpoint.provider))
        return FilterReason::provider_not_in;
    if (!wanted.allow_fallbacks && !wanted.order.empty() &&
        !contains(wanted.order, endpoint.provider))
        return FilterReason::provider_not_in;
    if (!wanted.regions.empty() && !in_regions(wanted.regions, route.region))
        return FilterReason::region;
    return FilterReason::none;
}

// Leaves the candidates for which `cost` is least, all within the share that counts as equal.
template <class Candidates, class Cost>
void keep_least(Candidates& candidates, Cost cost) {
    double least = std::numeric_limits<double>::infinity();
    for (const auto& candidate : candidates) least = std::min(least, cost(candidate));
    const double most = least + std::abs(least) * EndpointPool::kTieShare;
    std::erase_if(candidates, [&](const auto& candidate) {
        if (cost(candidate) <= most) return false;
        candidate.note->filtered = FilterReason::lower_order;
        return true;
    });
}

}  // namespace

Result<EndpointPool::Choice> EndpointPool::choose(
    const EndpointQuery& query, Time now, Random& random
) {
    decision_.form = Decision::Form::two_choices;
    decision_.guarded = false;
    decision_.chosen.reset();
    decision_.candidates.clear();
    const auto known = models_.find(query.model);
    if (known == models_.end())
        return fail_field(
            ErrorCode::not_found, "model",
            "the model '" + std::string(query.model) + "' does not exist"
        );
    const Model& model = known->second;
    std::vector<Candidate> candidates = survivors(model, query, now);
    if (candidates.empty()) return std::unexpected(no_candidate(query));
    keep_first_in_order(candidates, query, now);
    State* chosen = nullptr;
    if (query.prompt_tokens > 0) {
        score(candidates, model, query, now);
        chosen = least_score(candidates, random);
    } else {
        chosen = two_choices(candidates, random);
    }
    decision_.chosen = chosen->route().endpoint.id;
    return admit(*chosen, model, query, now);
}

// ---- filters ----

FilterReason EndpointPool::filter(const State& state, const EndpointQuery& query, Time now) const {
    const Endpoint& endpoint = state.route().endpoint;
    if (!state.listed || endpoint.state != EndpointState::ready) return FilterReason::not_ready;
    if (!query.protocol.empty() && endpoint.protocol != query.protocol)
        return FilterReason::protocol;
    if (state.route().weight <= 0) return FilterReason::drained;
    if (!within(endpoint.price_input, query.input_price_max) ||
        !within(endpoint.price_output, query.output_price_max))
        return FilterReason::price_limit;
    if (!in_all(query.providers, endpoint.provider) || !in_all(query.sites, endpoint.site))
        return FilterReason::provider_not_in;
    if (query.preferences != nullptr) {
        const FilterReason refused = refused_by(*query.preferences, state.route());
        if (refused != FilterReason::none) return refused;
    }
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
    for (const EndpointId& id : model.endpoints) {
        State& state = states_.at(id);
        CandidateNote& note = decision_.candidates.emplace_back();
        note.endpoint_id = id;
        note.in_flight = state.in_flight;
        note.filtered = filter(state, query, now);
        if (note.filtered == FilterReason::none) candidates.push_back({&state, &note});
        if (note.filtered == FilterReason::slow) slow.push_back({&state, &note});
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
                all_price = false;
                break;
            case FilterReason::none:
            case FilterReason::not_ready:
            case FilterReason::tried:
            case FilterReason::breaker:
            case FilterReason::slow:
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
               note.filtered == FilterReason::region;
    });
    if (all_price)
        return {
            ErrorCode::invalid_argument,
            "every provider of '" + model + "' asks more than the price limit of this call", "model"
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

// ---- the call's order ----

void EndpointPool::keep_first_in_order(
    std::vector<Candidate>& candidates, const EndpointQuery& query, Time now
) {
    const auto provider_of = [](const Candidate& candidate) -> const std::string& {
        return candidate.state->route().endpoint.provider;
    };
    if (query.preferences != nullptr && !query.preferences->order.empty()) {
        const std::vector<std::string>& order = query.preferences->order;
        keep_least(candidates, [&](const Candidate& candidate) {
            // From one, so that neighbours differ by more than the share that counts as equal.
            const auto at = std::ranges::find(order, provider_of(candidate));
            return 1.0 + static_cast<double>(at - order.begin());
        });
    }
    // A retry goes to another replica of the same seller first.
    if (!query.excluded.empty()) {
        const auto tried = states_.find(query.excluded.back());
        if (tried != states_.end())
            keep_least(candidates, [&](const Candidate& candidate) {
                const bool same = provider_of(candidate) == tried->second.route().endpoint.provider;
                return same ? 1.0 : 2.0;
            });
    }
    if (query.preferences == nullptr) return;
    switch (query.preferences->sort) {
        case ProviderPreferences::Sort::none:
            return;
        case ProviderPreferences::Sort::price:
            return keep_least(candidates, [&](const Candidate& candidate) {
                const Endpoint& endpoint = candidate.state->route().endpoint;
                return rough(endpoint.price_input) + rough(endpoint.price_output);
            });
        case ProviderPreferences::Sort::throughput:
            return keep_least(candidates, [&](const Candidate& candidate) {
                return -tokens_per_second_of(candidate.state->route(), now);
            });
        case ProviderPreferences::Sort::latency:
            return keep_least(candidates, [&](const Candidate& candidate) {
                const Endpoint& endpoint = candidate.state->route().endpoint;
                const auto found = suppliers_.find(std::pair(endpoint.provider, endpoint.model));
                constexpr double kMedian = 0.5;
                constexpr double kUnknown = 1e9;  // behind all that have shown something
                return found == suppliers_.end()
                           ? kUnknown
                           : found->second.first_token_ms(kMedian, now).value.value_or(kUnknown);
            });
    }
}

double EndpointPool::tokens_per_second_of(const Route& route, Time now) const {
    constexpr double kMedian = 0.5;
    const auto found = suppliers_.find(std::pair(route.endpoint.provider, route.endpoint.model));
    if (found == suppliers_.end()) return 0;
    return found->second.tokens_per_second(kMedian, now).value.value_or(0);
}

// ---- score ----

void EndpointPool::score(
    std::vector<Candidate>& candidates, const Model& model, const EndpointQuery& query, Time now
) {
    const auto [least, most] = std::ranges::minmax(candidates, {}, [](const Candidate& candidate) {
        return candidate.state->in_flight;
    });
    const std::int64_t min = least.state->in_flight;
    const std::int64_t max = most.state->in_flight;
    decision_.guarded = max - min > kUnevenCalls &&
                        static_cast<double>(max) > kUnevenTimes * static_cast<double>(min);
    note_matches(candidates, query, now);
    add_queue_terms(candidates, query, now);
    add_penalties(candidates, model, query, now);
}

void EndpointPool::note_matches(
    std::vector<Candidate>& candidates, const EndpointQuery& query, Time now
) {
    const std::vector<PrefixIndex::Match> matches = prefixes_.match(query.prompt, now);
    std::vector<PrefixIndex::Match> sessions;
    if (query.session) sessions = sessions_.match({&*query.session, 1}, now);
    const auto find = [](const auto& in, const State& state) {
        return std::ranges::find(in, state.backend, &PrefixIndex::Match::backend);
    };
    for (const Candidate& candidate : candidates) {
        const auto match = find(matches, *candidate.state);
        if (match != matches.end())
            candidate.note->matched_tokens = std::min(
                query.prompt_tokens, static_cast<std::int64_t>(match->blocks) * kBlockTokens
            );
        // Its turns build on each other: what was there last time is taken to be there still.
        candidate.note->sticky = find(sessions, *candidate.state) != sessions.end();
        if (candidate.note->sticky) candidate.note->matched_tokens = query.prompt_tokens;
    }
}

EngineQueue EndpointPool::queue_of(const State& state, const EndpointQuery& query, Time now) const {
    EngineQueue queue{
        .prefill_tokens = state.prefill_tokens + query.prompt_tokens,
        .decode_blocks =
            static_cast<double>(state.context_tokens) / static_cast<double>(kBlockTokens),
    };
    // Others send calls there as well; theirs are taken to be like this one.
    if (state.load_at && now - *state.load_at <= kLoadFreshFor)
        queue.prefill_tokens +=
            std::max<std::int64_t>(0, state.load.calls_waiting - state.waiting) *
            query.prompt_tokens;
    return queue;
}

void EndpointPool::add_queue_terms(
    std::vector<Candidate>& candidates, const EndpointQuery& query, Time now
) {
    EngineRates::Rates mean;
    double known = 0;
    for (const Candidate& candidate : candidates) {
        const auto rates = candidate.state->rates.rates(now);
        if (!rates) continue;
        ++known;
        mean.base_ms += (rates->base_ms - mean.base_ms) / known;
        mean.ms_per_token += (rates->ms_per_token - mean.ms_per_token) / known;
        mean.ms_per_block += (rates->ms_per_block - mean.ms_per_block) / known;
    }
    decision_.form = known > 0 ? Decision::Form::learned : Decision::Form::blocks;
    for (const Candidate& candidate : candidates) {
        const EngineQueue queue = queue_of(*candidate.state, query, now);
        const auto own = candidate.state->rates.rates(now);
        CandidateNote& note = *candidate.note;
        // One token to compute is worth 1/512 of a block to hold where no rate is known.
        const EngineRates::Rates rates = own         ? *own
                                         : known > 0 ? mean
                                                     : EngineRates::Rates{
                                                           .ms_per_token = 1.0 / kBlockTokens,
                                                           .ms_per_block = 1.0,
                                                       };
        note.rates_borrowed = known > 0 && !own;
        note.terms.queue = rates.first_token_ms(queue);
        const bool counts =
            !decision_.guarded && static_cast<double>(note.matched_tokens) >
                                      kMatchShareMin * static_cast<double>(query.prompt_tokens);
        if (counts)
            note.terms.prefix = rates.ms_per_token * static_cast<double>(note.matched_tokens);
        if (!own && known > 0) note.terms.network = candidate.state->route().rtt_ms.value_or(0);
    }
}

void EndpointPool::add_penalties(
    std::vector<Candidate>& candidates, const Model& model, const EndpointQuery& query, Time now
) {
    // In the form `blocks` a penalty in milliseconds has no meaning; price decides among equals.
    if (decision_.form != Decision::Form::learned) return;
    const auto cost = [&](const Candidate& candidate) {
        const Endpoint& endpoint = candidate.state->route().endpoint;
        return rough(endpoint.price_input) * static_cast<double>(query.prompt_tokens) +
               rough(endpoint.price_output) * model.output_tokens_mean;
    };
    double cheapest = std::numeric_limits<double>::infinity();
    for (const Candidate& candidate : candidates) cheapest = std::min(cheapest, cost(candidate));
    for (const Candidate& candidate : candidates) {
        ScoreTerms& terms = candidate.note->terms;
        const double dearer = cost(candidate) - cheapest;
        if (dearer > 0)
            terms.price =
                kPriceMs * (cheapest > 0 ? std::min(kRegretMax, dearer / cheapest) : kRegretMax);
        const State& state = *candidate.state;
        if (state.load_at && now - *state.load_at <= kLoadFreshFor)
            terms.memory = kCacheFullMs *
                           std::max(0.0, state.load.cache_used_share - kCacheFullShare) /
                           (1 - kCacheFullShare);
        if (query.preferences == nullptr) continue;
        if (const auto wished = query.preferences->first_token_wished)
            terms.wish += std::max(0.0, terms.queue - terms.prefix - to_seconds(*wished) * 1000);
        if (const auto wished = query.preferences->tokens_per_second_wished) {
            const double shown = tokens_per_second_of(state.route(), now);
            if (shown > 0) terms.wish += kWishMissedMs * std::max(0.0, 1 - shown / *wished);
        }
    }
}

// ---- chance ----

EndpointPool::State* EndpointPool::least_score(
    const std::vector<Candidate>& candidates, Random& random
) const {
    double least = std::numeric_limits<double>::infinity();
    for (const Candidate& candidate : candidates)
        least = std::min(least, candidate.note->terms.score());
    const double most = least + std::abs(least) * kTieShare;
    std::vector<State*> equal;
    for (const Candidate& candidate : candidates)
        if (candidate.note->terms.score() <= most) equal.push_back(candidate.state);
    if (decision_.form == Decision::Form::blocks) {
        const Endpoint cheapest =
            (*std::ranges::min_element(
                 equal, [](auto* a, auto* b
                        ) { return compare_cost(a->route().endpoint, b->route().endpoint) < 0; }
             ))
                ->route()
                .endpoint;
        std::erase_if(equal, [&](const State* state) {
            return compare_cost(state->route().endpoint, cheapest) > 0;
        });
    }
    std::uint64_t weights = 0;
    for (const State* state : equal) weights += static_cast<std::uint64_t>(state->route().weight);
    std::uint64_t drawn = random.below(weights);
    for (State* state : equal) {
        const auto weight = static_cast<std::uint64_t>(state->route().weight);
        if (drawn < weight) return state;
        drawn -= weight;
    }
    CHECK(false, "what was drawn is below the sum of the weights");
    return nullptr;
}

EndpointPool::State* EndpointPool::two_choices(
    const std::vector<Candidate>& candidates, Random& random
) const {
    const std::size_t first = random.below(candidates.size());
    State* chosen = candidates[first].state;
    if (candidates.size() == 1) return chosen;
    // The second is another one: a step of 1 … size − 1 from the first.
    State* other =
        candidates[(first + 1 + random.below(candidates.size() - 1)) % candidates.size()].state;
    // Calls in flight for each unit of weight.
    const auto order =
        other->in_flight * chosen->route().weight != chosen->in_flight * other->route().weight
            ? other->in_flight * chosen->route().weight <=>
                  chosen->in_flight * other->route().weight
            : compare_cost(other->route().endpoint, chosen->route().endpoint);
    return order < 0 ? other : chosen;  // equal ones stay as chance had it
}

// ---- admission ----

EndpointPool::Choice EndpointPool::admit(
    State& state, const Model& model, const EndpointQuery& query, Time now
) {
    const auto note = std::ranges::find(
        decision_.candidates, state.route().endpoint.id, &CandidateNote::endpoint_id
    );
    const std::int64_t matched = note->sticky ? 0 : note->matched_tokens;
    Choice choice{
        .endpoint_id = state.route().endpoint.id,
        .probe = state.breaker.begin(now),
        .queue = queue_of(state, query, now),
        .prefill_tokens = query.prompt_tokens - matched,
        .context_tokens =
            query.prompt_tokens + static_cast<std::int64_t>(model.output_tokens_mean / 2),
    };
    choice.queue.prefill_tokens -= matched;
    if (const auto rates = state.rates.rates(now))
        choice.expected_ms = rates->first_token_ms(choice.queue);
    ++state.in_flight;
    ++state.waiting;
    ++in_flight_;
    state.prefill_tokens += choice.prefill_tokens;
    state.context_tokens += choice.context_tokens;
    if (query.remembers_prompt) {
        prefixes_.sent(state.backend, query.prompt, now);
        if (query.session) sessions_.sent(state.backend, {&*query.session, 1}, now);
    }
    return choice;
}

std::shared_ptr<const Route> EndpointPool::cheapest(
    std::string_view model, std::optional<std::int64_t> Endpoint::* sold
) const {
    std::shared_ptr<const Route> least;
    const auto known = models_.find(model);
    if (known == models_.end()) return least;
    for (const EndpointId& id : known->second.endpoints) {
        const std::shared_ptr<const Route>& route = states_.at(id).shared;
        if (route->endpoint.state == EndpointState::ready &&
            (sold == nullptr || route->endpoint.*sold) &&
            (!least || compare_cost(route->endpoint, least->endpoint) < 0))
            least = route;
    }
    return least;
}

}  // namespace penstock::routing
