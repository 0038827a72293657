// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"
#include "routing/endpoint_pool.h"

// How a call finds its endpoint: filters → the call's order → score → chance among equals.
namespace penstock::routing {
namespace {

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
    decision_ = {};
    const auto known = models_.find(query.model);
    if (known == models_.end())
        return fail_field(
            ErrorCode::not_found, "model",
            "the model '" + std::string(query.model) + "' does not exist"
        );
    Model& model = known->second;
    State* chosen = nullptr;
    if (const EnginePhase phase = phase_of(model, query); phase != EnginePhase::both) {
        EndpointQuery of_phase = query;
        of_phase.phase = phase;
        chosen = find_state(model, of_phase, now, random);
    }
    // An engine of the other phase is better than none.
    if (chosen == nullptr) chosen = find_state(model, query, now, random);
    if (chosen == nullptr) return std::unexpected(no_candidate(query));
    decision_.chosen = chosen->route().endpoint.id;
    return admit(*chosen, model, query, now);
}

EndpointPool::State* EndpointPool::find_state(
    Model& model, const EndpointQuery& query, Time now, Random& random
) {
    decision_ = {};
    if (State* const chosen = choose_by_index(model, query, now, random)) return chosen;
    const std::vector<Candidate> candidates = walk(model, query, now);
    if (candidates.empty()) return nullptr;
    return query.prompt_tokens > 0 ? least_score(candidates, random)
                                   : two_choices(candidates, random);
}

EnginePhase EndpointPool::phase_of(const Model& model, const EndpointQuery& query) {
    if (!model.has_phases || query.prompt_tokens == 0) return EnginePhase::both;
    double output = model.output_tokens_mean;
    if (query.output_tokens_max > 0)
        output = std::min(output, static_cast<double>(query.output_tokens_max));
    return static_cast<double>(query.prompt_tokens) > kPrefillTimes * output ? EnginePhase::prefill
                                                                             : EnginePhase::decode;
}

// All endpoints, with the filters and terms of each in decision_.
std::vector<EndpointPool::Candidate> EndpointPool::walk(
    const Model& model, const EndpointQuery& query, Time now
) {
    decision_ = {};
    std::vector<Candidate> candidates = survivors(model, query, now);
    if (candidates.empty()) return candidates;
    keep_first_in_order(candidates, query, now);
    if (query.prompt_tokens > 0) score(candidates, model, query, now);
    return candidates;
}

Decision EndpointPool::explain(const EndpointQuery& query, Time now) {
    const auto known = models_.find(query.model);
    if (known == models_.end()) return {};
    Decision last = std::move(decision_);
    EndpointQuery of_phase = query;
    of_phase.phase = phase_of(known->second, query);
    if (walk(known->second, of_phase, now).empty()) walk(known->second, query, now);
    return std::exchange(decision_, std::move(last));
}

// What one input and one output token cost together: the order of "cheaper" among equals.
std::strong_ordering EndpointPool::cost_order(const Endpoint& a, const Endpoint& b) {
    const std::strong_ordering output = compare_prices(a.price_output, b.price_output);
    return output != 0 ? output : compare_prices(a.price_input, b.price_input);
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
                return rough_price(endpoint.price_input) + rough_price(endpoint.price_output);
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
    decision_.guarded = is_uneven(min, max);
    note_matches(candidates, query, now);
    add_queue_terms(candidates, model, query, now);
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
    queue.prefill_tokens += others_waiting_at(state, now) * query.prompt_tokens;
    return queue;
}

std::int64_t EndpointPool::others_waiting_at(const State& state, Time now) {
    if (!state.load_at || now - *state.load_at > kLoadFreshFor) return 0;
    return std::max<std::int64_t>(0, state.load.calls_waiting - state.waiting);
}

std::int64_t EndpointPool::waiting_at(const State& state, Time now) {
    return state.waiting + others_waiting_at(state, now);
}

void EndpointPool::add_queue_terms(
    std::vector<Candidate>& candidates, const Model& model, const EndpointQuery& query, Time now
) {
    const auto known = model.rates.rates(now);
    const EngineRates::Rates common = known.value_or(ChoiceTree::kReferenceRates);
    decision_.form = known ? Decision::Form::learned : Decision::Form::reference;
    std::int64_t waiting = 0;
    for (const Candidate& candidate : candidates) waiting += waiting_at(*candidate.state, now);
    const double behind =
        kBehindPerWaiting * static_cast<double>(waiting) / static_cast<double>(candidates.size());
    const auto prompt = static_cast<double>(query.prompt_tokens);
    for (const Candidate& candidate : candidates) {
        const EngineQueue queue = queue_of(*candidate.state, query, now);
        const auto own = candidate.state->rates.unlike(now);
        CandidateNote& note = *candidate.note;
        const EngineRates::Rates rates = own.value_or(common);
        note.own_rates = own.has_value();
        note.terms.queue = rates.first_token_ms(queue);
        const bool counts = !decision_.guarded &&
                            static_cast<double>(note.matched_tokens) > kMatchShareMin * prompt;
        const auto cached = static_cast<double>(counts ? note.matched_tokens : 0);
        note.terms.prefix = rates.ms_per_token * cached;
        note.terms.others = behind * common.ms_per_token * (prompt - cached);
        if (!own) note.terms.network = candidate.state->route().rtt_ms.value_or(0);
    }
}

void EndpointPool::add_penalties(
    std::vector<Candidate>& candidates, const Model& model, const EndpointQuery& query, Time now
) {
    const auto cost = [&](const Candidate& candidate) {
        const Endpoint& endpoint = candidate.state->route().endpoint;
        return rough_price(endpoint.price_input) * static_cast<double>(query.prompt_tokens) +
               rough_price(endpoint.price_output) * model.output_tokens_mean;
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
            terms.memory = cache_full_ms(state.load);
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
    const double most = with_ties(least);
    std::vector<State*> equal;
    for (const Candidate& candidate : candidates)
        if (candidate.note->terms.score() <= most) equal.push_back(candidate.state);
    if (decision_.form == Decision::Form::reference) {
        const Endpoint& cheapest =
            (*std::ranges::min_element(
                 equal, [](auto* a, auto* b
                        ) { return cost_order(a->route().endpoint, b->route().endpoint) < 0; }
             ))
                ->route()
                .endpoint;
        std::erase_if(equal, [&](const State* state) {
            return cost_order(state->route().endpoint, cheapest) > 0;
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
    return less_loaded(*chosen, *other) ? chosen : other;
}

// By calls in flight for each unit of weight, then by price; of equal ones the first, as chance had
// it.
bool EndpointPool::less_loaded(const State& first, const State& second) {
    const std::int64_t a = first.in_flight * second.route().weight;
    const std::int64_t b = second.in_flight * first.route().weight;
    if (a != b) return a < b;
    return cost_order(first.route().endpoint, second.route().endpoint) <= 0;
}

bool EndpointPool::is_uneven(std::int64_t least, std::int64_t most) {
    return most - least > kUnevenCalls &&
           static_cast<double>(most) > kUnevenTimes * static_cast<double>(least);
}

double EndpointPool::with_ties(double least) { return least + std::abs(least) * kTieShare; }

double EndpointPool::cache_full_ms(const EngineLoad& load) {
    return kCacheFullMs * std::max(0.0, load.cache_used_share - kCacheFullShare) /
           (1 - kCacheFullShare);
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
    if (const auto rates = state.rates.own().rates(now))
        choice.expected_ms = rates->first_token_ms(choice.queue);
    changed(state);
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
    for (const State* const state : known->second.endpoints) {
        const std::shared_ptr<const Route>& route = state->shared;
        if (route->endpoint.state == EndpointState::ready &&
            (sold == nullptr || route->endpoint.*sold) &&
            (!least || cost_order(route->endpoint, least->endpoint) < 0))
            least = route;
    }
    return least;
}

}  // namespace penstock::routing
