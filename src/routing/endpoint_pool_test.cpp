// SPDX-License-Identifier: Apache-2.0
#include "routing/endpoint_pool.h"

#include <gtest/gtest.h>

namespace penstock::routing {
namespace {

const Time kStart = Time(1'700'000'000s);
using Choice = EndpointPool::Choice;
constexpr int kFailuresToOpen = static_cast<int>(Breaker::kAttemptsMin);

EndpointId endpoint_id(std::uint64_t n) { return EndpointId(RawId{7, n}); }

Route route(std::uint64_t n, std::string_view model, std::string_view price = "1") {
    Route made;
    made.endpoint.id = endpoint_id(n);
    made.endpoint.model = std::string(model);
    made.endpoint.price_input = *parse_price(price);
    made.endpoint.price_output = *parse_price(price);
    return made;
}

struct Pool {
    EndpointPool pool;
    SeededRandom random{1};
    explicit Pool(std::vector<Route> routes) {
        EXPECT_TRUE(pool.replace(std::move(routes)).empty());
    }
    Result<Choice> choose(Time now = kStart, EndpointQuery query = {.model = "m"}) {
        return pool.choose(query, now, random);
    }
    void fail(int times, Time now) {
        for (int i = 0; i < times; ++i) pool.finish(*choose(now), AttemptOutcome::failed, now);
    }
};

TEST(EndpointPool, TakesTheOneWithFewerCallsInFlight) {
    Pool f({route(1, "m"), route(2, "m")});
    const Choice first = *f.choose();
    const Choice second = *f.choose();
    EXPECT_NE(first.endpoint_id, second.endpoint_id);
    f.pool.finish(first, AttemptOutcome::answered, kStart);
    EXPECT_EQ(f.choose()->endpoint_id, first.endpoint_id);
    EXPECT_EQ(f.pool.in_flight(), 2);
}

TEST(EndpointPool, PrefersTheCheaperOfEquallyLoadedOnes) {
    Pool f({route(1, "m", "1.0"), route(2, "m", "0.99")});
    EXPECT_EQ(f.choose()->endpoint_id, endpoint_id(2));
}

TEST(EndpointPool, SpreadsEqualEndpointsByChance) {
    Pool f({route(1, "m"), route(2, "m"), route(3, "m"), route(4, "m")});
    std::map<EndpointId, int> hits;
    for (int i = 0; i < 4000; ++i) {
        const Choice choice = *f.choose();
        ++hits[choice.endpoint_id];
        f.pool.finish(choice, AttemptOutcome::answered, kStart);
    }
    for (const auto& [id, count] : hits) EXPECT_NEAR(count, 1000, 150);
    EXPECT_EQ(hits.size(), 4U);
}

TEST(EndpointPool, FiltersByPriceStateAndExclusion) {
    Route unready = route(3, "m");
    unready.endpoint.state = EndpointState::unready;
    Pool f({route(1, "m", "5"), route(2, "m", "2"), unready});
    EXPECT_EQ(
        f.choose(kStart, {.model = "m", .input_price_max = parse_price("2.0").value()})
            ->endpoint_id,
        endpoint_id(2)
    );
    EXPECT_EQ(
        f.choose(kStart, {.model = "m", .output_price_max = parse_price("1.99").value()})
            .error()
            .code,
        ErrorCode::invalid_argument
    );
    const EndpointId tried[] = {endpoint_id(1), endpoint_id(2)};
    EXPECT_EQ(
        f.choose(kStart, {.model = "m", .excluded = tried}).error().code, ErrorCode::unavailable
    );
    EXPECT_EQ(f.choose(kStart, {.model = "other"}).error().code, ErrorCode::not_found);
}

TEST(EndpointPool, ReservesForTheDearestAllowedEndpoint) {
    Pool f({route(1, "m", "5"), route(2, "m", "2")});
    const TokenBound bound{.input = 1'000'000, .output = 1'000'000};
    EXPECT_EQ(*f.pool.worst_case({.model = "m"}, bound), Money::micro(10'000'000));
    EXPECT_EQ(
        *f.pool.worst_case({.model = "m", .input_price_max = parse_price("3").value()}, bound),
        Money::micro(4'000'000)
    );
}

TEST(EndpointPool, OpensTheBreakerAfterFailuresAndProbesOnce) {
    Pool f({route(1, "m")});
    f.fail(kFailuresToOpen, kStart);
    EXPECT_EQ(f.choose(kStart + 1s).error().code, ErrorCode::unavailable);
    EXPECT_EQ(f.pool.retry_after("m", kStart), Duration{2s});

    const Choice probe = *f.choose(kStart + 2s);
    EXPECT_TRUE(probe.probe);
    EXPECT_FALSE(f.choose(kStart + 2s));
    f.pool.finish(probe, AttemptOutcome::failed, kStart + 2s);
    EXPECT_FALSE(f.choose(kStart + 5s));

    const Choice second = *f.choose(kStart + 6s);
    f.pool.finish(second, AttemptOutcome::answered, kStart + 6s);
    EXPECT_FALSE(f.choose(kStart + 6s)->probe);
}

TEST(EndpointPool, AnAbandonedProbeLetsTheNextOneThrough) {
    Pool f({route(1, "m")});
    f.fail(kFailuresToOpen, kStart);
    f.pool.finish(*f.choose(kStart + 2s), AttemptOutcome::abandoned, kStart + 2s);
    EXPECT_TRUE(f.choose(kStart + 2s)->probe);
}

TEST(EndpointPool, KeepsCallsInFlightOverANewTable) {
    Pool f({route(1, "m"), route(2, "m")});
    const Choice first = *f.choose();
    f.pool.replace({route(first.endpoint_id == endpoint_id(1) ? 2 : 1, "m")});
    EXPECT_NE(f.choose()->endpoint_id, first.endpoint_id);
    EXPECT_NE(f.pool.find(first.endpoint_id), nullptr);
    f.pool.finish(first, AttemptOutcome::answered, kStart);
    EXPECT_EQ(f.pool.find(first.endpoint_id), nullptr);
}

TEST(EndpointPool, LeavesOutRoutesItCannotUse) {
    Route other = route(1, "m");
    other.endpoint.protocol = "grpc";
    EndpointPool pool;
    const auto refused = pool.replace({other, route(2, "m", "0.0000000001")});
    EXPECT_EQ(refused.size(), 2U);
    EXPECT_TRUE(pool.models().empty());
}

TEST(EndpointPool, ShowsEveryEndpointTheBusyAndTheBrokenOnesFirst) {
    Pool f({route(1, "a"), route(2, "m"), route(3, "n")});
    f.fail(kFailuresToOpen, kStart);
    const Choice running = *f.choose(kStart, {.model = "n"});
    std::int64_t left_out = -1;

    const std::vector<EndpointStatus> all = f.pool.statuses(kStart, 10, &left_out);
    ASSERT_EQ(all.size(), 3U);
    EXPECT_EQ(left_out, 0);
    EXPECT_EQ(all[0].model + all[1].model + all[2].model, "mna");
    EXPECT_EQ(all[0].breaker.state, BreakerState::open);
    EXPECT_EQ(all[0].breaker.cause, BreakerCause::failures);
    EXPECT_EQ(all[0].success_share, 0.0);
    EXPECT_EQ(all[0].samples, kFailuresToOpen);
    EXPECT_EQ(all[1].calls_in_flight, 1);
    EXPECT_EQ(all[1].success_share, std::nullopt) << "nothing has ended there";
    EXPECT_EQ(all[2].retries_left, 10);

    EXPECT_EQ(f.pool.statuses(kStart, 2, &left_out).size(), 2U);
    EXPECT_EQ(left_out, 1);
    f.pool.finish(running, AttemptOutcome::answered, kStart);
}

}  // namespace
}  // namespace penstock::routing
