// SPDX-License-Identifier: Apache-2.0
#include "tasks/autoscaler.h"

#include <gtest/gtest.h>

namespace penstock::tasks {
namespace {

using Reason = ScaleDecision::Reason;
constexpr Duration kTick = 5s;

AutoscaleTargets targets() {
    return {
        .replicas_max = 10,
        .tokens_per_second = 1000,
        .first_token = 1s,
        .cold_start = 60s,
        .shrink_after = 5min,
        .to_zero_after = 10min
    };
}

// A service whose replicas are what was decided last.
struct Service {
    Autoscaler scaler;
    Time now = Time(1'700'000'000s);
    std::int64_t replicas = 0;
    ScaleDecision last;
    explicit Service(const AutoscaleTargets& wanted) : scaler(wanted) {}

    void run(Duration span, std::int64_t tokens_per_second, std::optional<Duration> late = {}) {
        for (const Time end = now + span; now < end; now += kTick) {
            const std::int64_t tokens = tokens_per_second * 5;
            last = scaler.tick(
                {.calls_arrived = tokens > 0 ? 1 : 0,
                 .tokens_arrived = tokens,
                 .calls_in_flight = tokens > 0 ? 1 : 0,
                 .first_token_p95 = late,
                 .replicas = replicas},
                now
            );
            replicas = last.replicas;
        }
    }
};

TEST(Autoscaler, RunsNothingWhileNobodyCalls) {
    Service service(targets());
    service.run(1min, 0);
    EXPECT_EQ(service.replicas, 0);
    EXPECT_EQ(service.last.reason, Reason::enough);
}

TEST(Autoscaler, StartsOneAtTheFirstCall) {
    Service service(targets());
    service.run(kTick, 1);
    EXPECT_EQ(service.last, (ScaleDecision{1, Reason::first_call}));
}

TEST(Autoscaler, SettlesOnWhatTheRateNeeds) {
    Service service(targets());
    service.run(20min, 3500);
    EXPECT_EQ(service.replicas, 4);
    EXPECT_EQ(service.last.reason, Reason::enough);
}

TEST(Autoscaler, GrowsAheadOfARisingRate) {
    Service service(targets());
    service.run(10min, 1000);
    for (int i = 0; i < 24; ++i) service.run(kTick, 1000 + 20 * i * 5);
    EXPECT_GT(
        service.scaler.tokens_per_second_expected(), 1.2 * service.scaler.tokens_per_second()
    );
    EXPECT_GT(service.replicas * 1000, 1000 + 20 * 24 * 5);
}

TEST(Autoscaler, ShrinksOnlyToWhatHasSufficedForLongEnough) {
    Service service(targets());
    service.run(20min, 7500);
    EXPECT_EQ(service.replicas, 8);
    service.run(4min, 900);
    EXPECT_EQ(service.replicas, 8);
    service.run(4min, 900);
    EXPECT_LE(service.replicas, 2);
}

TEST(Autoscaler, ADipDoesNotMakeItFlap) {
    Service service(targets());
    service.run(20min, 3900);
    std::int64_t changes = 0;
    for (int i = 0; i < 20; ++i) {
        const std::int64_t before = service.replicas;
        service.run(1min, i % 2 == 0 ? 3000 : 3900);
        changes += service.replicas != before ? 1 : 0;
    }
    EXPECT_LE(changes, 1);
}

TEST(Autoscaler, GrowsForLateFirstTokensOncePerColdStart) {
    Service service(targets());
    service.run(20min, 1900);
    EXPECT_EQ(service.replicas, 2);
    service.run(kTick, 1900, Duration(3s));
    EXPECT_EQ(service.last, (ScaleDecision{4, Reason::first_token}));
    service.run(30s, 1900, Duration(3s));
    EXPECT_EQ(service.replicas, 4);
    service.run(60s, 1900, Duration(3s));
    EXPECT_EQ(service.replicas, 8);
}

TEST(Autoscaler, KeepsSparesWhileAnythingRunsAndNoneWhenIdle) {
    AutoscaleTargets wanted = targets();
    wanted.spares = 2;
    Service service(wanted);
    service.run(20min, 900);
    EXPECT_EQ(service.replicas, 3);
    service.run(11min, 0);
    EXPECT_EQ(service.replicas, 0);
    EXPECT_EQ(service.last.replicas, 0);
}

TEST(Autoscaler, StaysWithinItsLimits) {
    AutoscaleTargets wanted = targets();
    wanted.replicas_min = 2;
    wanted.replicas_max = 3;
    Service service(wanted);
    service.run(20min, 0);
    EXPECT_EQ(service.replicas, 2);
    service.run(20min, 90'000);
    EXPECT_EQ(service.replicas, 3);
}

TEST(Autoscaler, FollowsTheRateOfCalls) {
    AutoscaleTargets wanted = targets();
    wanted.tokens_per_second = 0;
    wanted.calls_per_second = 0.06;  // one call comes in each tick of five seconds
    Service service(wanted);
    service.run(20min, 1);
    EXPECT_EQ(service.replicas, 4);
}

TEST(Autoscaler, FollowsTheCallsInFlightAtOnce) {
    AutoscaleTargets wanted = targets();
    wanted.calls_in_flight = 8;
    Autoscaler scaler(wanted);
    const ServiceLoad load{.calls_arrived = 20, .calls_in_flight = 20, .replicas = 1};
    EXPECT_EQ(scaler.tick(load, Time(1'700'000'000s)), (ScaleDecision{3, Reason::in_flight}));
}

TEST(Autoscaler, GrowsForSlowStreams) {
    AutoscaleTargets wanted = targets();
    wanted.token_gap = 33ms;
    Autoscaler scaler(wanted);
    const ServiceLoad load{
        .calls_arrived = 1, .calls_in_flight = 1, .token_gap_p95 = Duration(50ms), .replicas = 2
    };
    EXPECT_EQ(scaler.tick(load, Time(1'700'000'000s)), (ScaleDecision{4, Reason::speed}));
}

TEST(Autoscaler, ThatResumesShrinksOnlyAfterTheUsualSpans) {
    Service service(targets());
    service.replicas = 6;
    service.scaler.resume(6, service.now);
    service.run(4min, 0);
    EXPECT_EQ(service.replicas, 6);
    service.run(2min, 0);
    EXPECT_EQ(service.replicas, 1);
    service.run(5min, 0);
    EXPECT_EQ(service.replicas, 0);
}

TEST(Autoscaler, ThatResumesWithNothingStartsNothing) {
    Service service(targets());
    service.scaler.resume(0, service.now);
    service.run(10min, 0);
    EXPECT_EQ(service.replicas, 0);
}

TEST(Autoscaler, NamesTargetsThatMakeNoSense) {
    AutoscaleTargets wanted = targets();
    wanted.tokens_per_second = 0;
    EXPECT_EQ(check_targets(wanted).error().field, "tokens_per_second");
    wanted = targets();
    wanted.replicas_min = 11;
    EXPECT_EQ(check_targets(wanted).error().field, "replicas");
    wanted = targets();
    wanted.first_token = -1s;
    EXPECT_EQ(check_targets(wanted).error().field, "first_token");
}

}  // namespace
}  // namespace penstock::tasks
