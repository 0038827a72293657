// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "routing/endpoint_pool.h"

// What a score has beside the queue, for models whose engines have shown rates and for those that
// are called without streaming alone, where none are ever learned.
namespace penstock::routing {
namespace {

const Time kStart = Time(1'700'000'000s);
using Choice = EndpointPool::Choice;

EndpointId endpoint_id(std::uint64_t n) { return EndpointId(RawId{7, n}); }

Route route(std::uint64_t n, std::int64_t price = 1) {
    Route made;
    made.endpoint.id = endpoint_id(n);
    made.endpoint.model = "m";
    made.endpoint.provider = "p" + std::to_string(n);
    made.endpoint.price_input = made.endpoint.price_output = Price{price, 0};
    return made;
}

std::vector<Route> many(std::uint64_t size) {
    std::vector<Route> routes;
    for (std::uint64_t n = 1; n <= size; ++n) routes.push_back(route(n));
    return routes;
}

struct Engines {
    EndpointPool pool;
    SeededRandom random{1};
    std::size_t size;
    explicit Engines(std::vector<Route> routes) : size(routes.size()) {
        pool.replace(std::move(routes));
    }

    Choice send(std::int64_t tokens, const ProviderPreferences* wanted = nullptr) {
        return *pool.choose(
            {.model = "m", .preferences = wanted, .prompt_tokens = tokens}, kStart, random
        );
    }
    Choice send_to(std::uint64_t n, std::int64_t tokens) {
        const ProviderPreferences only{.only = {"p" + std::to_string(n)}};
        return send(tokens, &only);
    }
    EndpointId chosen_for(std::int64_t tokens, const ProviderPreferences& wanted = {}) {
        const Choice choice = send(tokens, &wanted);
        pool.finish(choice, AttemptOutcome::answered, kStart);
        return choice.endpoint_id;
    }
    // All take so long for a token of a prompt.
    void learn(double ms_per_token) {
        for (std::uint64_t i = 0; i < 20 * size; ++i) {
            const std::int64_t tokens = 512 * static_cast<std::int64_t>(1 + i % 4);
            Choice choice = send_to(1 + i % size, tokens);
            const double ms = ms_per_token * static_cast<double>(tokens);
            pool.first_token(choice, Duration(static_cast<std::int64_t>(ms * 1000)), kStart);
            pool.finish(choice, AttemptOutcome::answered, kStart);
        }
    }
    void show_throughput(std::uint64_t n, double tokens_per_second) {
        const AttemptReport report{.tokens_per_second = tokens_per_second};
        for (int i = 0; i < 5; ++i) pool.finish(send_to(n, 100), report, kStart);
    }
    void report_memory(std::uint64_t n, double used) {
        pool.on_load(endpoint_id(n), {.cache_used_share = used}, kStart);
    }
    // Of so many calls, at most `at_once` in flight, none of which shows a first token.
    int sent_to(std::uint64_t n, int calls, std::size_t at_once) {
        int met = 0;
        std::vector<Choice> running;
        for (int i = 0; i < calls; ++i) {
            if (running.size() == at_once) {
                pool.finish(running.front(), AttemptOutcome::answered, kStart);
                running.erase(running.begin());
            }
            running.push_back(send(40));
            met += running.back().endpoint_id == endpoint_id(n) ? 1 : 0;
        }
        return met;
    }
};

// ---- memory

TEST(EndpointPenalties, AnEngineWithoutMemoryComesLaterWhereNothingIsStreamed) {
    Engines f({route(1), route(2)});
    f.report_memory(1, 0.995);
    f.report_memory(2, 0.01);

    EXPECT_EQ(f.sent_to(1, 60, 8), 0);
    EXPECT_EQ(f.pool.last_decision().form, Decision::Form::reference);
}

TEST(EndpointPenalties, AnEngineWithoutMemoryComesLaterByLearnedRates) {
    Engines f({route(1), route(2)});
    f.learn(0.1);
    f.report_memory(1, 0.995);
    f.report_memory(2, 0.01);

    EXPECT_EQ(f.sent_to(1, 60, 8), 0);
    EXPECT_EQ(f.pool.last_decision().form, Decision::Form::learned);
}

TEST(EndpointPenalties, AmongManyEnginesMemoryCountsWhereNothingIsStreamed) {
    Engines f(many(20));
    for (std::uint64_t n = 2; n <= 20; ++n) f.report_memory(n, 0.995);

    EXPECT_EQ(f.sent_to(1, 60, 4), 60);
    EXPECT_EQ(f.pool.last_decision().candidates.size(), 1) << "by the index";
}

TEST(EndpointPenalties, AnEngineWithoutMemoryIsBetterThanALongQueue) {
    Engines f({route(1), route(2)});
    f.report_memory(1, 0.995);
    f.send_to(2, 40'000);

    EXPECT_EQ(f.chosen_for(40), endpoint_id(1));
}

// ---- wishes: the first engine has a queue, the second is idle and asks twice the price

ProviderPreferences soon(Duration first_token) { return {.first_token_wished = first_token}; }

TEST(EndpointPenalties, AWishForAnEarlyFirstTokenCountsWhereNothingIsStreamed) {
    Engines f({route(1), route(2, 2)});
    f.send_to(1, 512);

    EXPECT_EQ(f.chosen_for(512), endpoint_id(1));
    EXPECT_EQ(f.chosen_for(512, soon(50ms)), endpoint_id(2));
    EXPECT_EQ(f.chosen_for(512, soon(10s)), endpoint_id(1));
}

TEST(EndpointPenalties, AWishForAnEarlyFirstTokenCountsByLearnedRates) {
    Engines f({route(1), route(2, 2)});
    f.learn(0.2);
    f.send_to(1, 384);

    EXPECT_EQ(f.chosen_for(512), endpoint_id(1));
    EXPECT_EQ(f.chosen_for(512, soon(100ms)), endpoint_id(2));
    EXPECT_EQ(f.chosen_for(512, soon(10s)), endpoint_id(1));
}

void expect_the_quicker_is_asked(Engines& f) {
    f.show_throughput(1, 10);
    f.show_throughput(2, 100);

    EXPECT_EQ(f.chosen_for(512), endpoint_id(1));
    EXPECT_EQ(f.chosen_for(512, {.tokens_per_second_wished = 100}), endpoint_id(2));
    EXPECT_EQ(f.chosen_for(512, {.tokens_per_second_wished = 5}), endpoint_id(1));
}

TEST(EndpointPenalties, AWishForThroughputCountsWhereNoRatesAreKnown) {
    Engines f({route(1), route(2, 2)});
    expect_the_quicker_is_asked(f);
    EXPECT_EQ(f.pool.last_decision().form, Decision::Form::reference);
}

TEST(EndpointPenalties, AWishForThroughputCountsByLearnedRates) {
    Engines f({route(1), route(2, 2)});
    f.learn(0.1);
    expect_the_quicker_is_asked(f);
    EXPECT_EQ(f.pool.last_decision().form, Decision::Form::learned);
}

// ---- price and network

TEST(EndpointPenalties, PriceIsWeighedAgainstTheQueueWhereNothingIsStreamed) {
    Engines f({route(1), route(2, 2)});
    EXPECT_EQ(f.sent_to(2, 20, 2), 0) << "a short queue is no reason to pay twice";
    f.send_to(1, 4'000);
    EXPECT_EQ(f.chosen_for(40), endpoint_id(2));
}

TEST(EndpointPenalties, TheNearerOfTwoIdleEnginesIsAskedWhereNothingIsStreamed) {
    std::vector<Route> routes{route(1), route(2)};
    routes[0].rtt_ms = 40;
    routes[1].rtt_ms = 1;
    Engines f(std::move(routes));

    EXPECT_EQ(f.sent_to(1, 20, 1), 0);
}

}  // namespace
}  // namespace penstock::routing
