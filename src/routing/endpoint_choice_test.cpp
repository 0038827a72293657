// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <set>

#include "routing/endpoint_pool.h"

namespace penstock::routing {
namespace {

const Time kStart = Time(1'700'000'000s);
using Choice = EndpointPool::Choice;

EndpointId endpoint_id(std::uint64_t n) { return EndpointId(RawId{7, n}); }

struct Options {
    std::string provider = "p";
    std::string price = "1";
    std::string region = "cn-hubei";
    std::int64_t weight = 100;
    std::optional<EnginePhase> phase = {};
};

Route route(std::uint64_t n, const Options& options = {}) {
    Route made;
    made.endpoint.id = endpoint_id(n);
    made.endpoint.model = "m";
    made.endpoint.provider = options.provider;
    made.endpoint.price_input = *parse_price(options.price);
    made.endpoint.price_output = *parse_price(options.price);
    made.region = options.region;
    made.weight = options.weight;
    made.endpoint.phase = options.phase;
    return made;
}

std::vector<BlockHash> prompt_of(std::uint64_t conversation, std::size_t blocks) {
    std::vector<BlockHash> chain;
    BlockHash last = salt_of("tenant", "m");
    for (std::size_t i = 0; i < blocks; ++i)
        chain.push_back(last = chain_block(last, conversation * 1000 + i));
    return chain;
}

struct Scene {
    EndpointPool pool;
    SeededRandom random{1};
    Time now = kStart;
    explicit Scene(std::vector<Route> routes) { pool.replace(std::move(routes)); }

    EndpointQuery query(const std::vector<BlockHash>& prompt) const {
        return {
            .model = "m",
            .prompt_tokens = static_cast<std::int64_t>(prompt.size()) * kBlockTokens,
            .prompt = prompt
        };
    }
    // Each endpoint answers some calls, `ms_per_token` of them a token.
    void teach(const std::vector<std::pair<std::uint64_t, double>>& rates) {
        for (std::size_t i = 0; i < 20; ++i)
            for (const auto& [n, ms_per_token] : rates) {
                std::vector<EndpointId> others;
                for (const auto& other : rates)
                    if (other.first != n) others.push_back(endpoint_id(other.first));
                const auto prompt = prompt_of(900 + i, 1 + i % 4);
                EndpointQuery asked = query(prompt);
                asked.excluded = others;
                asked.remembers_prompt = false;
                Choice choice = *pool.choose(asked, now, random);
                const double ms = ms_per_token * static_cast<double>(choice.queue.prefill_tokens);
                pool.first_token(choice, Duration(static_cast<std::int64_t>(ms * 1000)), now);
                pool.finish(choice, AttemptOutcome::answered, now);
            }
    }
    EndpointId choose(const EndpointQuery& asked) {
        const auto choice = pool.choose(asked, now, random);
        EXPECT_TRUE(choice) << to_string(choice.error());
        return choice->endpoint_id;
    }
    FilterReason reason(std::uint64_t n) const {
        for (const CandidateNote& note : pool.last_decision().candidates)
            if (note.endpoint_id == endpoint_id(n)) return note.filtered;
        return FilterReason::none;
    }
};

TEST(EndpointChoice, FollowsAConversationToItsCache) {
    Scene f({route(1), route(2), route(3)});
    f.teach({{1, 0.1}, {2, 0.1}, {3, 0.1}});
    Choice first = *f.pool.choose(f.query(prompt_of(1, 10)), f.now, f.random);
    f.pool.first_token(first, 512ms, f.now);
    EXPECT_EQ(f.choose(f.query(prompt_of(1, 12))), first.endpoint_id);
    EXPECT_EQ(f.pool.last_decision().form, Decision::Form::learned);
}

TEST(EndpointChoice, ASmallMatchCountsForNothing) {
    Scene f({route(1), route(2)});
    f.teach({{1, 0.1}, {2, 0.1}});
    const EndpointId first = f.choose(f.query(prompt_of(1, 3)));
    auto other = prompt_of(1, 3);
    while (other.size() < 12) other.push_back(chain_block(other.back(), 5));
    EXPECT_NE(f.choose(f.query(other)), first);
}

TEST(EndpointChoice, LeavesACacheWhoseQueueIsLongerThanItsGain) {
    Scene f({route(1), route(2)});
    f.teach({{1, 0.1}, {2, 0.1}});
    const EndpointId first = f.choose(f.query(prompt_of(1, 10)));
    // Other work for the same engine, more than the ten blocks that are cached there.
    EndpointQuery filler = f.query(prompt_of(2, 40));
    const EndpointId other[] = {first == endpoint_id(1) ? endpoint_id(2) : endpoint_id(1)};
    filler.excluded = other;
    EXPECT_EQ(f.choose(filler), first);
    EXPECT_NE(f.choose(f.query(prompt_of(1, 11))), first);
}

// Ten of eleven blocks are cached behind a queue, and the other engine is idle.
TEST(EndpointChoice, WhereOthersWaitACacheIsWorthMore) {
    const auto stays_behind = [](std::size_t queued) {
        Scene f({route(1), route(2)});
        f.teach({{1, 0.1}, {2, 0.1}});
        Choice first = *f.pool.choose(f.query(prompt_of(1, 10)), f.now, f.random);
        f.pool.first_token(first, 512ms, f.now);
        const EndpointId other[] = {endpoint_id(first.endpoint_id == endpoint_id(1) ? 2 : 1)};
        const auto filler = prompt_of(2, queued);
        EndpointQuery waits = f.query(filler);
        waits.excluded = other;
        EXPECT_EQ(f.choose(waits), first.endpoint_id);
        return f.choose(f.query(prompt_of(1, 11))) == first.endpoint_id;
    };
    EXPECT_TRUE(stays_behind(12)) << "13 blocks for the call itself, 1 for one behind it; not 11 "
                                     "and 11";
    EXPECT_FALSE(stays_behind(30));
}

TEST(EndpointChoice, ANewEngineIsTakenToBeLikeTheOthers) {
    Scene f({route(1), route(2), route(3)});
    f.teach({{1, 0.1}, {2, 0.1}});
    const Decision decision = f.pool.explain(f.query(prompt_of(1, 4)), f.now);
    EXPECT_EQ(decision.form, Decision::Form::learned);
    for (const CandidateNote& note : decision.candidates) {
        EXPECT_NEAR(note.terms.queue, 204.8, 1);
        EXPECT_FALSE(note.own_rates);
    }
}

TEST(EndpointChoice, ASlowEngineIsScoredByItsOwnRates) {
    Scene f({route(1), route(2), route(3)});
    f.teach({{1, 0.1}, {2, 0.1}, {3, 0.5}});
    const Decision decision = f.pool.explain(f.query(prompt_of(1, 4)), f.now);
    ASSERT_EQ(decision.candidates.size(), 3);
    EXPECT_TRUE(decision.candidates[2].own_rates);
    EXPECT_NEAR(decision.candidates[2].terms.queue, 1024, 5);
}

TEST(EndpointChoice, SendsMoreToTheFasterEngine) {
    Scene f({route(1), route(2)});
    f.teach({{1, 0.05}, {2, 0.2}});
    int fast = 0;
    for (std::uint64_t i = 0; i < 50; ++i)
        fast += f.choose(f.query(prompt_of(10 + i, 4))) == endpoint_id(1) ? 1 : 0;
    EXPECT_NEAR(fast, 40, 2);
}

TEST(EndpointChoice, IgnoresCachesWhileLoadIsUneven) {
    Scene f({route(1), route(2)});
    f.teach({{1, 0.1}, {2, 0.1}});
    const EndpointId other[] = {endpoint_id(2)};
    EndpointQuery filler = f.query(prompt_of(1, 1));
    filler.excluded = other;
    for (int i = 0; i <= EndpointPool::kUnevenCalls; ++i) f.choose(filler);
    EXPECT_EQ(f.choose(f.query(prompt_of(1, 1))), endpoint_id(2));
    EXPECT_TRUE(f.pool.last_decision().guarded);
}

TEST(EndpointChoice, GoesByReferenceRatesWhereNoneIsKnown) {
    Scene f({route(1), route(2)});
    const EndpointId first = f.choose(f.query(prompt_of(1, 10)));
    EXPECT_EQ(f.pool.last_decision().form, Decision::Form::reference);
    EXPECT_NE(f.choose(f.query(prompt_of(2, 10))), first);
}

TEST(EndpointChoice, ASessionStaysWhereItWas) {
    Scene f({route(1), route(2), route(3), route(4)});
    f.teach({{1, 0.1}, {2, 0.1}, {3, 0.1}, {4, 0.1}});
    EndpointQuery asked{.model = "m", .prompt_tokens = 100, .session = BlockHash{42}};
    const Choice first = *f.pool.choose(asked, f.now, f.random);
    f.pool.finish(first, AttemptOutcome::answered, f.now);
    for (int i = 0; i < 5; ++i) {
        const Choice choice = *f.pool.choose(asked, f.now, f.random);
        EXPECT_EQ(choice.endpoint_id, first.endpoint_id);
        f.pool.finish(choice, AttemptOutcome::answered, f.now);
    }
}

TEST(EndpointChoice, TakesProvidersInTheCallsOrder) {
    Scene f({route(1, {.provider = "a"}), route(2, {.provider = "b"}), route(3, {.provider = "c"})}
    );
    const ProviderPreferences wanted{.order = {"c", "a"}};
    EndpointQuery asked{.model = "m", .preferences = &wanted};
    EXPECT_EQ(f.choose(asked), endpoint_id(3));
    EXPECT_EQ(f.reason(1), FilterReason::lower_order);
    const EndpointId tried[] = {endpoint_id(3)};
    asked.excluded = tried;
    EXPECT_EQ(f.choose(asked), endpoint_id(1));
    const EndpointId both[] = {endpoint_id(3), endpoint_id(1)};
    asked.excluded = both;
    EXPECT_EQ(f.choose(asked), endpoint_id(2));
}

TEST(EndpointChoice, WithoutFallbacksNobodyElseAnswers) {
    Scene f({route(1, {.provider = "a"}), route(2, {.provider = "b"}), route(3, {.provider = "a"})}
    );
    const ProviderPreferences ordered{.order = {"b"}, .allow_fallbacks = false};
    const EndpointId tried[] = {endpoint_id(2)};
    EXPECT_EQ(
        f.pool.choose({.model = "m", .excluded = tried, .preferences = &ordered}, f.now, f.random)
            .error()
            .code,
        ErrorCode::unavailable
    );
    const ProviderPreferences any{.allow_fallbacks = false};
    const EndpointId first[] = {endpoint_id(1)};
    EXPECT_EQ(f.choose({.model = "m", .excluded = first, .preferences = &any}), endpoint_id(3));
    EXPECT_EQ(f.reason(2), FilterReason::provider_not_in);
}

TEST(EndpointChoice, ARetryStaysWithTheSellerFirst) {
    Scene f({route(1, {.provider = "a"}), route(2, {.provider = "b"}), route(3, {.provider = "a"})}
    );
    const EndpointId tried[] = {endpoint_id(1)};
    EXPECT_EQ(f.choose({.model = "m", .excluded = tried}), endpoint_id(3));
    const EndpointId both[] = {endpoint_id(1), endpoint_id(3)};
    EXPECT_EQ(f.choose({.model = "m", .excluded = both}), endpoint_id(2));
}

TEST(EndpointChoice, FiltersByProviderRegionPriceAndWeight) {
    Scene f(
        {route(1, {.provider = "a"}), route(2, {.provider = "b", .price = "9"}),
         route(3, {.provider = "c", .region = "cn-hubei2"}), route(4, {.provider = "d"}),
         route(5, {.provider = "e", .weight = 0}), route(6, {.provider = "f"})}
    );
    const ProviderPreferences wanted{
        .only = {"a", "b", "c", "d", "e"},
        .ignore = {"d"},
        .regions = {"cn-hubei"},
        .output_price_max = Price{5, 0}
    };
    EXPECT_EQ(f.choose({.model = "m", .preferences = &wanted}), endpoint_id(1));
    EXPECT_EQ(f.reason(2), FilterReason::price_limit);
    EXPECT_EQ(f.reason(3), FilterReason::region);
    EXPECT_EQ(f.reason(4), FilterReason::provider_ignored);
    EXPECT_EQ(f.reason(5), FilterReason::drained);
    EXPECT_EQ(f.reason(6), FilterReason::provider_not_in);
    const ProviderPreferences nobody{.only = {"z"}};
    EXPECT_EQ(
        to_string(f.pool.choose({.model = "m", .preferences = &nobody}, f.now, f.random).error()),
        "invalid_argument: provider: no ready provider of 'm' is within what 'provider' and the "
        "price limits of this call allow"
    );
}

// Each lends or sets one class above 2 yuan; the seventh is within the limits in every class.
TEST(EndpointChoice, APriceLimitBoundsTheDearestClassOfItsSide) {
    const auto with = [](std::uint64_t n, std::optional<Price> ClassPrices::* member) {
        Route made = route(n, {.price = "2"});
        ClassPrices classes;
        classes.*member = Price{100, 0};
        made.endpoint.class_prices = classes;
        return made;
    };
    Route within = route(9, {.price = "2"});
    within.endpoint.class_prices = ClassPrices{.cache_read = Price{1, 0}};
    Scene f(
        {with(1, &ClassPrices::output_reasoning), with(2, &ClassPrices::output_audio),
         with(3, &ClassPrices::cache_read), with(4, &ClassPrices::cache_write_5m),
         with(5, &ClassPrices::cache_write_1h), with(6, &ClassPrices::input_image),
         with(7, &ClassPrices::input_audio), within}
    );
    const auto refused_by = [&](const EndpointQuery& asked) {
        std::string out;
        for (const CandidateNote& note : f.pool.explain(asked, f.now).candidates)
            if (note.filtered == FilterReason::price_limit)
                out += std::to_string(note.endpoint_id.raw().low);
        return out;
    };
    const ProviderPreferences wanted{
        .input_price_max = Price{2, 0}, .output_price_max = Price{2, 0}
    };

    EXPECT_EQ(f.choose({.model = "m", .preferences = &wanted}), endpoint_id(9));
    EXPECT_EQ(refused_by({.model = "m", .preferences = &wanted}), "1234567");
    EXPECT_EQ(refused_by({.model = "m", .input_price_max = Price{2, 0}}), "34567");
    EXPECT_EQ(refused_by({.model = "m", .output_price_max = Price{2, 0}}), "12");
    EXPECT_EQ(refused_by({.model = "m", .output_price_max = Price{100, 0}}), "");
}

TEST(EndpointChoice, TellsThatTheDearestClassIsAboveThePriceLimit) {
    Route dear = route(1);
    dear.endpoint.class_prices = ClassPrices{.output_reasoning = Price{100, 0}};
    Scene f({dear});

    const auto refused =
        f.pool.choose({.model = "m", .output_price_max = Price{2, 0}}, f.now, f.random);

    ASSERT_FALSE(refused);
    EXPECT_EQ(
        to_string(refused.error()),
        "invalid_argument: model: every provider of 'm' asks more than the price limit of this "
        "call for at least one class of tokens (GET /v1/models lists them)"
    );
}

TEST(EndpointChoice, SortsByPriceAndByWhatWasMeasured) {
    Scene f({route(1, {.provider = "a", .price = "2"}), route(2, {.provider = "b", .price = "3"})});
    f.teach({{1, 0.2}, {2, 0.1}});
    const ProviderPreferences cheap{.sort = ProviderPreferences::Sort::price};
    const ProviderPreferences quick{.sort = ProviderPreferences::Sort::latency};
    EXPECT_EQ(f.choose({.model = "m", .preferences = &cheap}), endpoint_id(1));
    EXPECT_EQ(f.choose({.model = "m", .preferences = &quick}), endpoint_id(2));
    EXPECT_EQ(f.pool.figures("b", "m", f.now).first_token_ms_p50.samples, 20);
}

TEST(EndpointChoice, DrawsEqualsInProportionToTheirWeights) {
    Scene f({route(1, {.weight = 300}), route(2, {.weight = 100})});
    f.teach({{1, 0.1}, {2, 0.1}});
    int first = 0;
    for (int i = 0; i < 2000; ++i) {
        const Choice choice = *f.pool.choose({.model = "m", .prompt_tokens = 500}, f.now, f.random);
        first += choice.endpoint_id == endpoint_id(1) ? 1 : 0;
        f.pool.finish(choice, AttemptOutcome::answered, f.now);
    }
    EXPECT_NEAR(first, 1500, 90);
}

TEST(EndpointChoice, AvoidsAnEngineThatReportsAFullCacheOrOthersQueueing) {
    Scene f({route(1), route(2)});
    f.teach({{1, 0.1}, {2, 0.1}});
    f.pool.on_load(endpoint_id(1), {.cache_used_share = 1.0}, f.now);
    EXPECT_EQ(f.choose({.model = "m", .prompt_tokens = 500}), endpoint_id(2));
    f.pool.on_load(endpoint_id(1), {.cache_used_share = 0.1, .calls_waiting = 9}, f.now);
    EXPECT_EQ(f.choose({.model = "m", .prompt_tokens = 500}), endpoint_id(2));
    f.now += EndpointPool::kLoadFreshFor + 1s;
    EXPECT_EQ(f.choose({.model = "m", .prompt_tokens = 500}), endpoint_id(1));
}

TEST(EndpointChoice, ASlowEngineIsBetterThanNone) {
    Scene f({route(1), route(2)});
    f.teach({{1, 0.1}, {2, 0.1}});
    const EndpointId other[] = {endpoint_id(2)};
    const EndpointQuery asked{.model = "m", .excluded = other, .prompt_tokens = 1000};
    for (std::size_t i = 0; i < Breaker::kSlownessMin; ++i) {
        Choice choice = *f.pool.choose(asked, f.now, f.random);
        f.pool.first_token(choice, 20s, f.now);
        f.pool.finish(choice, AttemptOutcome::answered, f.now);
    }
    EXPECT_EQ(f.choose({.model = "m", .prompt_tokens = 1000}), endpoint_id(2));
    EXPECT_EQ(f.reason(1), FilterReason::slow);
    EXPECT_EQ(f.choose(asked), endpoint_id(1));
}

TEST(EndpointChoice, HedgesAfterTheNinetyFifthPercentile) {
    Scene f({route(1), route(2)});
    EXPECT_FALSE(f.pool.hedge_after("m", f.now));
    f.teach({{1, 0.1}, {2, 0.1}});
    EXPECT_EQ(f.pool.hedge_after("m", f.now), Duration(204'800us));
}

TEST(EndpointChoice, ExplainsItself) {
    Scene f({route(1), route(2, {.price = "2"})});
    const ProviderPreferences wanted{.output_price_max = Price{1, 0}};
    EndpointQuery asked = f.query(prompt_of(1, 4));
    asked.preferences = &wanted;
    f.choose(asked);
    EXPECT_EQ(
        explain(f.pool.last_decision()),
        "reference rates; " + to_string(endpoint_id(1)) + " chosen: queue 128.0 = 128.0 ms; " +
            to_string(endpoint_id(2)) + ": dearer in a class of tokens than the price limit"
    );
}

// ---- phases

constexpr std::uint64_t kPrefill = 1;
constexpr std::uint64_t kDecode = 2;
Scene scene_of_phases() {
    return Scene(
        {route(kPrefill, {.phase = EnginePhase::prefill}),
         route(kDecode, {.phase = EnginePhase::decode})}
    );
}
EndpointQuery mostly_prompt(const Scene& scene, const std::vector<BlockHash>& prompt) {
    EndpointQuery asked = scene.query(prompt);
    asked.output_tokens_max = 16;  // against 512 and more of the prompt
    return asked;
}

TEST(EndpointPhases, ACallGoesToEnginesOfItsPhase) {
    Scene scene = scene_of_phases();
    for (std::uint64_t i = 0; i < 20; ++i) {
        const auto prompt = prompt_of(i, 1);
        EXPECT_EQ(scene.choose(mostly_prompt(scene, prompt)), endpoint_id(kPrefill));
        EXPECT_EQ(scene.reason(kDecode), FilterReason::phase);
        EXPECT_EQ(scene.choose(scene.query(prompt)), endpoint_id(kDecode));
        EXPECT_EQ(scene.reason(kPrefill), FilterReason::phase);
    }
}

TEST(EndpointPhases, EnginesOfNoPhaseTakePart) {
    Scene scene({route(1, {.phase = EnginePhase::decode}), route(2)});
    const auto prompt = prompt_of(1, 1);
    EXPECT_EQ(scene.choose(mostly_prompt(scene, prompt)), endpoint_id(2));
    std::set<EndpointId> met;
    for (std::uint64_t i = 0; i < 50; ++i)
        met.insert(scene.choose(scene.query(prompt_of(100 + i, 1))));
    EXPECT_EQ(met.size(), 2U);
}

TEST(EndpointPhases, AnEngineOfTheOtherPhaseIsBetterThanNone) {
    Scene scene = scene_of_phases();
    const auto prompt = prompt_of(1, 1);
    const std::vector<EndpointId> tried{endpoint_id(kPrefill)};
    EndpointQuery asked = mostly_prompt(scene, prompt);
    asked.excluded = tried;
    EXPECT_EQ(scene.choose(asked), endpoint_id(kDecode));
    EXPECT_EQ(scene.reason(kPrefill), FilterReason::tried);
}

TEST(EndpointPhases, HoldForManyEnginesAsForFew) {
    std::vector<Route> routes;
    for (std::uint64_t n = 1; n <= 40; ++n)
        routes.push_back(
            route(n, {.phase = n % 2 == 0 ? EnginePhase::decode : EnginePhase::prefill})
        );
    Scene scene(std::move(routes));
    for (std::uint64_t i = 0; i < 100; ++i) {
        const auto prompt = prompt_of(i, 1);
        EXPECT_EQ(scene.choose(mostly_prompt(scene, prompt)).raw().low % 2, 1U);
        EXPECT_EQ(scene.choose(scene.query(prompt)).raw().low % 2, 0U);
    }
}

TEST(EndpointPhases, AHoldCoversEnginesOfBothPhases) {
    Scene scene(
        {route(1, {.price = "1", .phase = EnginePhase::prefill}),
         route(2, {.price = "5", .phase = EnginePhase::decode})}
    );
    const auto prompt = prompt_of(1, 1);
    const TokenBound bound{.input = 1'000'000, .output = 0};
    EXPECT_EQ(
        to_string(*scene.pool.worst_case(mostly_prompt(scene, prompt), bound)),
        to_string(*parse_money("5"))
    );
}

TEST(ExplainToTenant, NamesEndpointsAsItIsToldAndLeavesOutWhatOthersDo) {
    Scene scene({route(1, {.provider = "a"}), route(2, {.provider = "b", .weight = 0})});
    ASSERT_TRUE(scene.pool.choose({.model = "m"}, kStart, scene.random));

    const std::string text = explain_to_tenant(scene.pool.last_decision(), [](const auto& id) {
        return std::string(id == endpoint_id(1) ? "a at here" : "b");
    });

    EXPECT_EQ(text, "two choices; a at here chosen: candidate; b: weight 0");
}

TEST(ExplainToTenant, IsBoundedAndCountsWhatItLeavesOut) {
    std::vector<Route> routes;
    for (std::uint64_t n = 1; n <= 8; ++n) routes.push_back(route(n));
    Scene scene(std::move(routes));
    const EndpointId chosen = scene.pool.choose({.model = "m"}, kStart, scene.random)->endpoint_id;

    const std::string text = explain_to_tenant(scene.pool.last_decision(), [&](const auto& id) {
        return std::string(id == chosen ? 3000 : 900, id == chosen ? 'c' : 'x');
    });

    EXPECT_LE(text.size(), kRoutingTextMax);
    EXPECT_TRUE(text.starts_with("two choices; ccc")) << text.substr(0, 40);
    EXPECT_TRUE(text.ends_with("; and 6 more")) << text.substr(text.size() - 40);
}

}  // namespace
}  // namespace penstock::routing
