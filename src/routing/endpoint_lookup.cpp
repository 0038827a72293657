// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <tuple>

#include "base/check.h"
#include "routing/endpoint_pool.h"

// How a call finds its endpoint among many, without looking at each.
namespace penstock::routing {
namespace {

// With the length of each part before it, so that no name can look like two.
void add_names(std::string& out, char kind, const std::vector<std::string>& names) {
    out.push_back(kind);
    out.append(std::to_string(names.size()));
    for (const std::string& name : names)
        out.append(":").append(std::to_string(name.size())).append(":").append(name);
}

void add_price(std::string& out, char kind, const std::optional<Price>& price) {
    if (!price) return;
    out.push_back(kind);
    out.append(std::to_string(price->num)).append("e").append(std::to_string(price->scale));
}

// Equal for calls whose fixed filters are the same.
std::string signature_of(const EndpointQuery& query) {
    std::string out(query.protocol);
    if (query.phase != EnginePhase::both)
        out.push_back(query.phase == EnginePhase::prefill ? 'P' : 'D');
    add_price(out, 'i', query.input_price_max);
    add_price(out, 'o', query.output_price_max);
    for (const std::vector<std::string>* list : query.providers) add_names(out, 'p', *list);
    for (const std::vector<std::string>* list : query.sites) add_names(out, 's', *list);
    if (query.preferences == nullptr) return out;
    const ProviderPreferences& wanted = *query.preferences;
    out.push_back('/');
    add_price(out, 'i', wanted.input_price_max);
    add_price(out, 'o', wanted.output_price_max);
    add_names(out, 'y', wanted.only);
    add_names(out, 'n', wanted.ignore);
    add_names(out, 'r', wanted.regions);
    add_names(out, 'q', wanted.quantizations);
    if (wanted.zero_retention) out.push_back('z');
    if (wanted.deny_data_collection) out.push_back('d');
    if (!wanted.allow_fallbacks) add_names(out, 'f', wanted.order);
    return out;
}

// Whether nothing but the fixed filters and the score decides.
bool by_score_alone(const EndpointQuery& query) {
    if (!query.excluded.empty()) return false;
    if (query.preferences == nullptr) return true;
    const ProviderPreferences& wanted = *query.preferences;
    return wanted.order.empty() && wanted.sort == ProviderPreferences::Sort::none &&
           !wanted.first_token_wished && !wanted.tokens_per_second_wished;
}

}  // namespace

EndpointPool::State* EndpointPool::choose_by_index(
    Model& model, const EndpointQuery& query, Time now, Random& random
) {
    if (!by_score_alone(query)) return nullptr;
    Indexed* const indexed = index_of(model, query, true);
    if (indexed == nullptr) return nullptr;
    indexed->index.refresh(now, [&](std::uint32_t leaf) {
        return present(*indexed->members[leaf], now);
    });
    if (indexed->index.tree().totals().open == 0) return nullptr;
    if (query.prompt_tokens > 0) return least_score(*indexed, model, query, now, random);
    State* const chosen = two_choices(*indexed, random);
    decision_.candidates.push_back(
        {.endpoint_id = chosen->route().endpoint.id, .in_flight = chosen->in_flight}
    );
    return chosen;
}

// ---- indexes ----

EndpointPool::Indexed* EndpointPool::index_of(
    Model& model, const EndpointQuery& query, bool makes
) {
    if (model.endpoints.size() <= kWalkMax) return nullptr;
    std::string signature = signature_of(query);
    const auto found = std::ranges::find_if(model.indexes, [&](const auto& each) {
        return each->index.signature() == signature;
    });
    if (found != model.indexes.end()) {
        (*found)->index.used = ++index_uses_;
        return found->get();
    }
    if (!makes) return nullptr;
    // Who sends other filters with each call must not make others wait for an index of each.
    const std::uint64_t hash = std::hash<std::string>()(signature);
    auto& met = model.filters_met;
    if (std::ranges::find(met, hash) == met.end()) {
        std::shift_right(met.begin(), met.end(), 1);
        met.front() = hash;
        return nullptr;
    }
    if (model.indexes.size() == kIndexesMax) {
        const auto oldest = std::ranges::min_element(model.indexes, {}, [](const auto& each) {
            return each->index.used;
        });
        drop_index(model, static_cast<std::size_t>(oldest - model.indexes.begin()));
    }
    model.indexes.push_back(make_index(model, query, std::move(signature)));
    model.indexes.back()->index.used = ++index_uses_;
    return model.indexes.back().get();
}

std::unique_ptr<EndpointPool::Indexed> EndpointPool::make_index(
    const Model& model, const EndpointQuery& query, std::string signature
) {
    std::vector<State*> members;
    std::ranges::copy_if(model.endpoints, std::back_inserter(members), [&](const State* state) {
        return fixed_filter(*state, query) == FilterReason::none;
    });
    const auto order = [](const State* a, const State* b) {
        return cost_order(a->route().endpoint, b->route().endpoint);
    };
    std::ranges::sort(members, [&](const State* a, const State* b) {
        const std::strong_ordering cost = order(a, b);
        return cost != 0 ? cost < 0 : a->backend < b->backend;
    });
    std::vector<EndpointIndex::Member> facts;
    facts.reserve(members.size());
    std::uint32_t rank = 0;
    for (std::size_t i = 0; i < members.size(); ++i) {
        if (i > 0 && order(members[i - 1], members[i]) != 0) ++rank;
        facts.push_back({.rank = rank, .prices = prices_of(members[i]->route().endpoint)});
    }
    auto made = std::make_unique<Indexed>(
        Indexed{EndpointIndex(std::move(signature), facts), std::move(members)}
    );
    for (std::uint32_t leaf = 0; leaf < made->members.size(); ++leaf)
        made->members[leaf]->places.emplace_back(&made->index, leaf);
    return made;
}

void EndpointPool::drop_index(Model& model, std::size_t at) {
    const Indexed& dropped = *model.indexes[at];
    for (State* const state : dropped.members)
        std::erase_if(state->places, [&](const auto& place) {
            return place.first == &dropped.index;
        });
    model.indexes.erase(model.indexes.begin() + static_cast<std::ptrdiff_t>(at));
}

EndpointIndex::Present EndpointPool::present(const State& state, Time now) {
    constexpr Duration kTick{1};
    EndpointIndex::Present out;
    const auto changes_at = [&](Time at) { out.until = out.until ? std::min(*out.until, at) : at; };
    ChoiceLeaf& leaf = out.leaf;
    leaf.open = state.breaker.lets_through(now);
    if (state.breaker.state(now) == Breaker::State::open)
        changes_at(now + state.breaker.opens_in(now));
    leaf.rates = state.rates.unlike(now);
    if (leaf.rates) changes_at(state.rates.own().fresh_until() + kTick);
    leaf.prefill_tokens = state.prefill_tokens;
    leaf.context_blocks =
        static_cast<double>(state.context_tokens) / static_cast<double>(kBlockTokens);
    if (state.load_at && now - *state.load_at <= kLoadFreshFor) {
        changes_at(*state.load_at + kLoadFreshFor + kTick);
        leaf.prompts_waiting = others_waiting_at(state, now);
        leaf.memory_ms = cache_full_ms(state.load);
    }
    leaf.calls_waiting = waiting_at(state, now);
    leaf.network_ms = state.route().rtt_ms.value_or(0);
    leaf.price_input = rough_price(state.route().endpoint.price_input);
    leaf.price_output = rough_price(state.route().endpoint.price_output);
    leaf.weight = state.route().weight;
    leaf.in_flight = state.in_flight;
    return out;
}

// ---- the choice ----

EndpointPool::State* EndpointPool::two_choices(const Indexed& indexed, Random& random) const {
    const ChoiceTree& tree = indexed.index.tree();
    const auto open = static_cast<std::uint64_t>(tree.totals().open);
    const std::uint64_t first = random.below(open);
    State* const chosen = indexed.members[tree.nth_open(static_cast<std::int64_t>(first))];
    if (open == 1) return chosen;
    const std::uint64_t second = (first + 1 + random.below(open - 1)) % open;
    State* const other = indexed.members[tree.nth_open(static_cast<std::int64_t>(second))];
    return less_loaded(*chosen, *other) ? chosen : other;
}

std::vector<ChoiceTree::Special> EndpointPool::specials_of(
    const Indexed& indexed, const EndpointQuery& query, Time now
) {
    std::vector<ChoiceTree::Special> specials;
    const auto add = [&](PrefixIndex::Backend backend, std::int64_t matched, bool sticky) {
        const auto known = by_backend_.find(backend);
        if (known == by_backend_.end()) return;
        const State& state = *known->second;
        const auto place = std::ranges::find_if(state.places, [&](const auto& each) {
            return each.first == &indexed.index;
        });
        if (place == state.places.end() || !indexed.index.tree().leaf(place->second).open) return;
        const auto met = std::ranges::find(specials, place->second, &ChoiceTree::Special::leaf);
        const auto at = static_cast<std::size_t>(met - specials.begin());
        if (met == specials.end()) {
            specials.push_back({.leaf = place->second});
            decision_.candidates.push_back(
                {.endpoint_id = state.route().endpoint.id, .in_flight = state.in_flight}
            );
        }
        specials[at].matched_tokens = decision_.candidates[at].matched_tokens = matched;
        decision_.candidates[at].sticky = sticky;
    };
    for (const PrefixIndex::Match& match : prefixes_.match(query.prompt, now))
        add(match.backend,
            std::min(query.prompt_tokens, static_cast<std::int64_t>(match.blocks) * kBlockTokens),
            false);
    if (query.session)
        for (const PrefixIndex::Match& match : sessions_.match({&*query.session, 1}, now))
            add(match.backend, query.prompt_tokens, true);
    return specials;
}

EndpointPool::State* EndpointPool::least_score(
    const Indexed& indexed, const Model& model, const EndpointQuery& query, Time now, Random& random
) {
    const ChoiceTree& tree = indexed.index.tree();
    const ChoiceTree::Totals totals = tree.totals();
    decision_.guarded = is_uneven(totals.in_flight_min, totals.in_flight_max);
    ChoiceCall call{
        .prompt_tokens = query.prompt_tokens,
        .output_tokens = model.output_tokens_mean,
        .common = model.rates.rates(now),
        .guarded = decision_.guarded,
        .behind = kBehindPerWaiting * static_cast<double>(totals.calls_waiting) /
                  static_cast<double>(totals.open),
    };
    decision_.form = call.common ? Decision::Form::learned : Decision::Form::reference;
    call.cheapest = tree.least_cost(call);
    std::vector<ChoiceTree::Special> specials = specials_of(indexed, query, now);
    double least = tree.least_score(call);
    for (std::size_t i = 0; i < specials.size(); ++i) {
        ChoiceTree::Special& special = specials[i];
        CandidateNote& note = decision_.candidates[i];
        note.terms = ChoiceTree::terms_of(tree.leaf(special.leaf), call, special.matched_tokens);
        note.own_rates = tree.leaf(special.leaf).rates.has_value();
        special.score = note.terms.score();
        least = std::min(least, special.score);
    }
    ChoiceTree::Ties ties{
        .begin = 0, .end = tree.size(), .score_max = with_ties(least), .specials = specials
    };
    if (!call.common) {
        // Price decides among equals; the cheapest come first.
        std::size_t first = tree.first_within(call, ties.score_max).value_or(tree.size());
        for (const ChoiceTree::Special& special : specials)
            if (special.score <= ties.score_max) first = std::min(first, special.leaf);
        CHECK(first < tree.size(), "the least score is one that somebody has");
        std::tie(ties.begin, ties.end) = indexed.index.equals(first);
    }
    const std::size_t drawn = tree.draw(call, ties, random);
    State& chosen = *indexed.members[drawn];
    if (std::ranges::find(specials, drawn, &ChoiceTree::Special::leaf) == specials.end())
        decision_.candidates.push_back(
            {.endpoint_id = chosen.route().endpoint.id,
             .in_flight = chosen.in_flight,
             .own_rates = tree.leaf(drawn).rates.has_value(),
             .terms = ChoiceTree::terms_of(tree.leaf(drawn), call, 0)}
        );
    return &chosen;
}

}  // namespace penstock::routing
