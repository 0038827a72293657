// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "routing/endpoint_pool.h"

namespace penstock::routing {
namespace {

const Time kStart = Time(1'700'000'000s);
using Choice = EndpointPool::Choice;

EndpointId endpoint_id(std::uint64_t n) { return EndpointId(RawId{7, n}); }

Route random_route(std::uint64_t n) {
    Route made;
    made.endpoint.id = endpoint_id(n);
    made.endpoint.model = "m";
    made.endpoint.provider = std::string(1, *rc::gen::element('a', 'b', 'c'));
    made.endpoint.price_input = Price{*rc::gen::inRange(1, 9), 0};
    made.endpoint.price_output = Price{*rc::gen::inRange(1, 9), 0};
    made.region = *rc::gen::element<std::string>("cn-hubei", "cn-beijing", "eu");
    made.weight = *rc::gen::element<std::int64_t>(0, 1, 100);
    if (*rc::gen::inRange(0, 4) == 0) made.endpoint.state = EndpointState::unready;
    return made;
}

ProviderPreferences random_preferences() {
    const auto names = rc::gen::container<std::vector<std::string>>(
        rc::gen::element<std::string>("a", "b", "c", "d")
    );
    ProviderPreferences wanted;
    wanted.order = *names;
    wanted.only = *names;
    wanted.ignore = *names;
    if (*rc::gen::arbitrary<bool>()) wanted.regions = {"cn"};
    wanted.allow_fallbacks = *rc::gen::arbitrary<bool>();
    wanted.output_price_max = Price{*rc::gen::inRange(1, 9), 0};
    return wanted;
}

// What must hold of a choice, said without the pool's own filters.
bool allowed(const Route& route, const ProviderPreferences& wanted) {
    const auto contains = [&](const std::vector<std::string>& names) {
        return std::ranges::find(names, route.endpoint.provider) != names.end();
    };
    return route.endpoint.state == EndpointState::ready && route.weight > 0 &&
           route.endpoint.price_output.num <= wanted.output_price_max->num &&
           (wanted.only.empty() || contains(wanted.only)) && !contains(wanted.ignore) &&
           (wanted.regions.empty() || route.region.starts_with("cn")) &&
           (wanted.allow_fallbacks || wanted.order.empty() || contains(wanted.order));
}

RC_GTEST_PROP(EndpointChoice, NeverTakesOneThatIsFiltered, ()) {
    EndpointPool pool;
    std::vector<Route> routes;
    const auto size = *rc::gen::inRange<std::uint64_t>(1, 8);
    for (std::uint64_t n = 0; n < size; ++n) routes.push_back(random_route(n));
    pool.replace(routes);
    const ProviderPreferences wanted = random_preferences();
    SeededRandom random(*rc::gen::arbitrary<std::uint64_t>());
    bool any = false;
    for (const Route& route : routes) any |= allowed(route, wanted);
    for (int i = 0; i < 20; ++i) {
        const auto choice = pool.choose(
            {.model = "m", .preferences = &wanted, .prompt_tokens = *rc::gen::inRange(0, 5000)},
            kStart, random
        );
        RC_ASSERT(choice.has_value() == any);
        if (choice) RC_ASSERT(allowed(*pool.find(choice->endpoint_id), wanted));
    }
}

// Equal engines get equal shares: each count within a few standard deviations of a fair draw,
// whatever the prompts, when calls begin and end at random.
RC_GTEST_PROP(EndpointChoice, EqualEnginesShareWithinNoise, ()) {
    constexpr int kCalls = 1000;
    const auto size = *rc::gen::inRange<std::uint64_t>(2, 9);
    EndpointPool pool;
    std::vector<Route> routes(size);
    for (std::uint64_t n = 0; n < size; ++n) {
        routes[n].endpoint.id = endpoint_id(n);
        routes[n].endpoint.model = "m";
    }
    pool.replace(routes);
    SeededRandom random(*rc::gen::arbitrary<std::uint64_t>());
    const bool knows_prompts = *rc::gen::arbitrary<bool>();
    std::map<EndpointId, int> counts;
    std::vector<Choice> running;
    for (int i = 0; i < kCalls; ++i) {
        const auto prompt = knows_prompts ? static_cast<std::int64_t>(100 + random.below(1000)) : 0;
        const Time now = kStart + i * 10ms;
        Choice choice = *pool.choose({.model = "m", .prompt_tokens = prompt}, now, random);
        ++counts[choice.endpoint_id];
        if (knows_prompts) pool.first_token(choice, Duration(prompt * 100), now);
        running.push_back(choice);
        while (running.size() > 4 * size) {
            const std::size_t at = random.below(running.size());
            pool.finish(running[at], AttemptOutcome::answered, now);
            running.erase(running.begin() + static_cast<std::ptrdiff_t>(at));
        }
    }
    const double fair = static_cast<double>(kCalls) / static_cast<double>(size);
    for (const auto& [id, count] : counts) RC_ASSERT(std::abs(count - fair) <= 5 * std::sqrt(fair));
    RC_ASSERT(counts.size() == size);
}

RC_GTEST_PROP(EndpointChoice, TheSameSeedGivesTheSameChoices, ()) {
    const auto seed = *rc::gen::arbitrary<std::uint64_t>();
    const auto run = [&] {
        EndpointPool pool;
        std::vector<Route> routes(5);
        for (std::uint64_t n = 0; n < routes.size(); ++n) {
            routes[n].endpoint.id = endpoint_id(n);
            routes[n].endpoint.model = "m";
        }
        pool.replace(routes);
        SeededRandom random(seed);
        std::vector<EndpointId> chosen;
        for (std::uint64_t i = 0; i < 100; ++i) {
            const BlockHash prompt[] = {chain_block(1, i % 7)};
            Choice choice = *pool.choose(
                {.model = "m", .prompt_tokens = kBlockTokens, .prompt = prompt}, kStart, random
            );
            chosen.push_back(choice.endpoint_id);
            pool.first_token(
                choice, Duration(static_cast<std::int64_t>(random.below(100'000))), kStart
            );
            if (random.below(2) == 0) pool.finish(choice, AttemptOutcome::answered, kStart);
        }
        return chosen;
    };
    RC_ASSERT(run() == run());
}

RC_GTEST_PROP(EndpointChoice, InFlightReturnsToNothing, ()) {
    EndpointPool pool;
    std::vector<Route> routes(3);
    for (std::uint64_t n = 0; n < routes.size(); ++n) {
        routes[n].endpoint.id = endpoint_id(n);
        routes[n].endpoint.model = "m";
    }
    pool.replace(routes);
    SeededRandom random(*rc::gen::arbitrary<std::uint64_t>());
    std::vector<Choice> running;
    for (int i = 0; i < 200; ++i) {
        if (random.below(2) == 0) {
            if (auto choice = pool.choose({.model = "m", .prompt_tokens = 700}, kStart, random))
                running.push_back(*choice);
        } else if (!running.empty()) {
            if (random.below(2) == 0) pool.first_token(running.back(), 1ms, kStart);
            pool.finish(
                running.back(),
                random.below(3) == 0 ? AttemptOutcome::abandoned : AttemptOutcome::answered, kStart
            );
            running.pop_back();
        }
    }
    for (const Choice& choice : running) pool.finish(choice, AttemptOutcome::answered, kStart);
    RC_ASSERT(pool.in_flight() == 0);
    for (std::uint64_t n = 0; n < routes.size(); ++n)
        RC_ASSERT(pool.in_flight(endpoint_id(n)) == 0);
    const auto fresh = pool.choose({.model = "m", .prompt_tokens = 100}, kStart, random);
    RC_ASSERT(fresh->queue.prefill_tokens == 100);
    RC_ASSERT(fresh->queue.decode_blocks == 0);
}

}  // namespace
}  // namespace penstock::routing
