// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "routing/endpoint_pool.h"

namespace penstock::routing {
namespace {

const Time kStart = Time(1'700'000'000s);
using Choice = EndpointPool::Choice;

EndpointId endpoint_id(std::uint64_t n) { return EndpointId(RawId{7, n}); }

Route route(std::uint64_t n) {
    Route made;
    made.endpoint.id = endpoint_id(n);
    made.endpoint.model = "m";
    made.endpoint.provider = "a";
    made.endpoint.price_input = made.endpoint.price_output = Price{1, 0};
    return made;
}

std::vector<Route> random_routes(std::uint64_t size) {
    const auto prices = *rc::gen::inRange<std::int64_t>(2, 6);
    std::vector<Route> routes;
    for (std::uint64_t n = 0; n < size; ++n) {
        Route made = route(n);
        made.endpoint.provider = std::string(1, *rc::gen::element('a', 'b', 'c'));
        made.endpoint.price_input = Price{*rc::gen::inRange<std::int64_t>(0, prices), 0};
        made.endpoint.price_output = Price{*rc::gen::inRange<std::int64_t>(1, prices), 0};
        if (*rc::gen::arbitrary<bool>())
            made.endpoint.class_prices = ClassPrices{
                .cache_read = Price{*rc::gen::inRange<std::int64_t>(0, 9), 0},
                .output_reasoning = Price{*rc::gen::inRange<std::int64_t>(0, 9), 0}
            };
        made.weight = *rc::gen::element<std::int64_t>(0, 1, 7, 100);
        if (*rc::gen::arbitrary<bool>()) made.rtt_ms = *rc::gen::inRange(1, 40);
        if (*rc::gen::inRange(0, 8) == 0) made.endpoint.state = EndpointState::unready;
        routes.push_back(made);
    }
    return routes;
}

// Who the plain walk could take: of those with the least score, within the share that counts as
// equal; by reference rates only the cheapest of these.
std::vector<EndpointId> ties_of(const Decision& plain, const EndpointPool& pool) {
    double least = std::numeric_limits<double>::infinity();
    for (const CandidateNote& note : plain.candidates)
        if (note.filtered == FilterReason::none) least = std::min(least, note.terms.score());
    // What rounding may move over the edge.
    const double most = least + std::abs(least) * EndpointPool::kTieShare + 1e-6;
    std::vector<EndpointId> ties;
    for (const CandidateNote& note : plain.candidates)
        if (note.filtered == FilterReason::none && note.terms.score() <= most)
            ties.push_back(note.endpoint_id);
    if (plain.form != Decision::Form::reference) return ties;
    const auto cost = [&](const EndpointId& id) {
        const Endpoint& endpoint = pool.find(id)->endpoint;
        return std::pair(endpoint.price_output.num, endpoint.price_input.num);
    };
    const auto cheapest = cost(*std::ranges::min_element(ties, {}, cost));
    std::erase_if(ties, [&](const EndpointId& id) { return cost(id) > cheapest; });
    return ties;
}

// A fleet in the middle of its work, by chance: calls begin, show their first tokens, end or fail;
// engines report; prompts repeat; time goes on, sometimes far enough for what is known to grow old.
class Fleet {
  public:
    explicit Fleet(std::uint64_t size)
        : routes_(random_routes(size)), random_(*rc::gen::arbitrary<std::uint64_t>()) {
        pool_.replace(routes_);
        preferences_.ignore = {"c"};
        limited_.input_price_max = Price{5, 0};
        limited_.output_price_max = Price{6, 0};
        streams_ = random_.below(3) > 0;
        reports_ = random_.below(2) > 0;
        fails_ = random_.below(4) == 0 ? 2 : 40;
    }

    void step() {
        now_ += Duration(static_cast<std::int64_t>(
            random_.below(200) == 0 ? random_.below(90'000'000) : random_.below(20'000)
        ));
        switch (random_.below(5)) {
            case 0:
            case 1:
                return call();
            case 2:
                return show_first_token();
            case 3:
                return end();
            default:
                if (reports_) report();
        }
    }

    EndpointPool& pool() { return pool_; }

  private:
    EndpointQuery query() {
        const std::uint64_t topic = random_.below(6);
        const std::uint64_t blocks = random_.below(30);
        prompt_.clear();
        for (std::uint64_t i = 0; i < blocks; ++i) prompt_.push_back(chain_block(topic, i));
        EndpointQuery query{
            .model = "m",
            .prompt_tokens = static_cast<std::int64_t>(
                blocks * kBlockTokens + random_.below(random_.below(2) == 0 ? 10 : 100'000)
            ),
            .prompt = prompt_,
        };
        if (random_.below(3) == 0) query.preferences = &preferences_;
        if (random_.below(3) == 0) query.preferences = &limited_;
        if (random_.below(4) == 0) query.session = random_.below(20);
        return query;
    }

    void call() {
        const EndpointQuery query = this->query();
        const Decision plain = pool_.explain(query, now_);
        const bool any = std::ranges::any_of(plain.candidates, [](const auto& note) {
            return note.filtered == FilterReason::none;
        });
        const Money most = *pool_.worst_case(query, {.input = 1'000'000, .output = 3'000'000});
        RC_ASSERT(most == dearest(query));
        const Result<Choice> choice = pool_.choose(query, now_, random_);
        RC_ASSERT(choice.has_value() == any);
        if (!any) return;
        const Decision& found = pool_.last_decision();
        const bool known = query.prompt_tokens > 0;
        if (known) {
            RC_ASSERT(found.form == plain.form);
            RC_ASSERT(found.guarded == plain.guarded);
            RC_ASSERT(contains(ties_of(plain, pool_), choice->endpoint_id));
            RC_ASSERT(
                std::abs(
                    note_of(found, choice->endpoint_id).terms.score() -
                    note_of(plain, choice->endpoint_id).terms.score()
                ) < 1e-6
            );
        }
        if (query.preferences == &limited_) {
            const auto [input, output] = dearest_of(pool_.find(choice->endpoint_id)->endpoint);
            RC_ASSERT(input <= 5 && output <= 6);
        }
        running_.push_back(*choice);
    }

    static bool contains(const std::vector<EndpointId>& ids, const EndpointId& id) {
        return std::ranges::find(ids, id) != ids.end();
    }
    static const CandidateNote& note_of(const Decision& decision, const EndpointId& id) {
        return *std::ranges::find(decision.candidates, id, &CandidateNote::endpoint_id);
    }
    // Of input and of output, of the classes that these endpoints have a price for.
    static std::pair<std::int64_t, std::int64_t> dearest_of(const Endpoint& endpoint) {
        const ClassPrices classes = endpoint.class_prices.value_or(ClassPrices());
        return {
            std::max(
                endpoint.price_input.num, classes.cache_read.value_or(endpoint.price_input).num
            ),
            std::max(
                endpoint.price_output.num,
                classes.output_reasoning.value_or(endpoint.price_output).num
            )
        };
    }
    // Said without the pool: a yuan each for a million in and three millions out.
    Money dearest(const EndpointQuery& query) const {
        std::int64_t most = 0;
        for (const Route& each : routes_) {
            if (each.endpoint.state != EndpointState::ready || each.weight == 0) continue;
            if (query.preferences == &preferences_ && each.endpoint.provider == "c") continue;
            const auto [input, output] = dearest_of(each.endpoint);
            if (query.preferences == &limited_ && (input > 5 || output > 6)) continue;
            most = std::max(most, input + 3 * output);
        }
        return Money::micro(most * 1'000'000);
    }

    void show_first_token() {
        if (running_.empty() || !streams_) return;
        Choice& choice = running_[random_.below(running_.size())];
        // Engines differ, and each wavers.
        const auto engine = static_cast<std::int64_t>(choice.endpoint_id.raw().low % 5 + 1);
        pool_.first_token(
            choice,
            Duration(
                5000 + engine * choice.queue.prefill_tokens / 4 +
                static_cast<std::int64_t>(random_.below(20'000))
            ),
            now_
        );
    }

    void end() {
        if (running_.size() < 20) return;
        std::swap(running_[random_.below(running_.size())], running_.back());
        pool_.finish(
            running_.back(),
            random_.below(fails_) == 0 ? AttemptOutcome::failed : AttemptOutcome::answered, now_
        );
        running_.pop_back();
    }

    void report() {
        pool_.on_load(
            endpoint_id(random_.below(routes_.size())),
            {.cache_used_share = random_.unit(),
             .calls_waiting = static_cast<std::int64_t>(random_.below(6))},
            now_
        );
    }

    EndpointPool pool_;
    std::vector<Route> routes_;
    ProviderPreferences preferences_;
    ProviderPreferences limited_;
    SeededRandom random_;
    bool streams_ = false;
    bool reports_ = false;
    std::uint64_t fails_ = 0;
    Time now_ = kStart;
    std::vector<BlockHash> prompt_;
    std::vector<Choice> running_;
};

RC_GTEST_PROP(EndpointIndex, TakesOnlyWhatThePlainWalkCouldTake, ()) {
    Fleet fleet(*rc::gen::inRange<std::uint64_t>(EndpointPool::kWalkMax + 1, 60));
    for (int i = 0; i < 600; ++i) fleet.step();
}

// Ties are drawn in proportion to the weights, whether they are many of all or few.
void expect_draws_by_weight(std::uint64_t alike) {
    constexpr std::uint64_t kSize = 64;
    constexpr int kCalls = 4000;
    std::vector<Route> routes;
    for (std::uint64_t n = 0; n < kSize; ++n) {
        routes.push_back(route(n));
        routes.back().weight = 1 + static_cast<std::int64_t>(n % 3);
    }
    EndpointPool pool;
    pool.replace(routes);
    SeededRandom random(alike);
    // The others are busy for the whole test.
    const auto load = [&](std::uint64_t n) {
        pool.on_load(endpoint_id(n), {.calls_waiting = 9}, kStart);
    };
    for (std::uint64_t n = alike; n < kSize; ++n) load(n);
    std::map<EndpointId, int> counts;
    for (int i = 0; i < kCalls; ++i) {
        const Choice choice = *pool.choose({.model = "m", .prompt_tokens = 900}, kStart, random);
        ++counts[choice.endpoint_id];
        pool.finish(choice, AttemptOutcome::answered, kStart);
    }
    std::int64_t weights = 0;
    for (std::uint64_t n = 0; n < alike; ++n) weights += routes[n].weight;
    EXPECT_EQ(counts.size(), alike);
    for (std::uint64_t n = 0; n < alike; ++n) {
        const double fair =
            static_cast<double>(kCalls * routes[n].weight) / static_cast<double>(weights);
        EXPECT_NEAR(counts[endpoint_id(n)], fair, 5 * std::sqrt(fair)) << n;
    }
}

TEST(EndpointIndex, DrawsAmongManyTiesByWeight) { expect_draws_by_weight(60); }
TEST(EndpointIndex, DrawsAmongFewTiesByWeight) { expect_draws_by_weight(3); }

TEST(EndpointIndex, LooksAtOneOfMany) {
    std::vector<Route> routes;
    for (std::uint64_t n = 0; n < 20; ++n) routes.push_back(route(n));
    EndpointPool pool;
    pool.replace(routes);
    SeededRandom random(1);

    static_cast<void>(pool.choose({.model = "m", .prompt_tokens = 9}, kStart, random));
    EXPECT_EQ(pool.last_decision().candidates.size(), 20);
    static_cast<void>(pool.choose({.model = "m", .prompt_tokens = 9}, kStart, random));
    EXPECT_EQ(pool.last_decision().candidates.size(), 1);
    EXPECT_EQ(pool.explain({.model = "m"}, kStart).candidates.size(), 20);
}

TEST(EndpointIndex, FollowsANewTable) {
    std::vector<Route> routes;
    for (std::uint64_t n = 0; n < 20; ++n) routes.push_back(route(n));
    EndpointPool pool;
    pool.replace(routes);
    SeededRandom random(1);
    std::vector<Choice> running;
    for (int i = 0; i < 5; ++i)
        running.push_back(*pool.choose({.model = "m", .prompt_tokens = 9}, kStart, random));

    for (std::uint64_t n = 0; n < 19; ++n) routes[n].endpoint.state = EndpointState::unready;
    pool.replace(routes);
    for (const Choice& choice : running) pool.finish(choice, AttemptOutcome::answered, kStart);

    for (int i = 0; i < 5; ++i)
        EXPECT_EQ(
            pool.choose({.model = "m", .prompt_tokens = 9}, kStart, random)->endpoint_id,
            endpoint_id(19)
        );
}

TEST(EndpointIndex, KeepsAListOfNobodyApartFromNoList) {
    std::vector<Route> routes;
    for (std::uint64_t n = 0; n < 20; ++n) routes.push_back(route(n));
    EndpointPool pool;
    pool.replace(routes);
    SeededRandom random(1);
    const std::vector<std::string> nobody;
    const std::vector<std::string>* const lists[] = {&nobody};
    const EndpointQuery open{.model = "m", .prompt_tokens = 9};
    const EndpointQuery shut{.model = "m", .providers = lists, .prompt_tokens = 9};

    for (int i = 0; i < 4; ++i) {
        EXPECT_TRUE(pool.choose(open, kStart, random).has_value());
        EXPECT_FALSE(pool.choose(shut, kStart, random).has_value());
    }
}

TEST(EndpointIndex, FollowsManyKindsOfCallsInLittleRoom) {
    std::vector<Route> routes;
    for (std::uint64_t n = 0; n < 20; ++n) {
        routes.push_back(route(n));
        routes.back().endpoint.price_input = Price{static_cast<std::int64_t>(n + 1), 0};
    }
    EndpointPool pool;
    pool.replace(routes);
    SeededRandom random(1);

    for (int round = 0; round < 4; ++round)
        for (std::int64_t most = 1; most <= 12; ++most) {
            const EndpointQuery query{
                .model = "m", .input_price_max = Price{most, 0}, .prompt_tokens = 9
            };
            const Choice choice = *pool.choose(query, kStart, random);
            EXPECT_LE(pool.find(choice.endpoint_id)->endpoint.price_input.num, most);
            EXPECT_EQ(
                *pool.worst_case(query, {.input = 1'000'000}), Money::micro(most * 1'000'000)
            );
            pool.finish(choice, AttemptOutcome::answered, kStart);
        }
}

}  // namespace
}  // namespace penstock::routing
