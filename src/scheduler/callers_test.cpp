// SPDX-License-Identifier: Apache-2.0
#include "scheduler/callers.h"

#include <gtest/gtest.h>

#include "scheduler/plan_fixture.h"

namespace penstock::scheduler {
namespace {

SiteSpec site() {
    SiteSpec spec;
    spec.rtt_ms = 30;
    spec.rtt_to = {{"cn-hubei", 8}, {"cn-beijing", 60}};
    return spec;
}

TEST(Callers, TheRoundTripIsTheOneWithinWhichNearlyAllCallsAre) {
    EXPECT_EQ(round_trip_ms(site(), {{"cn-hubei", 1}}), 8);
    EXPECT_EQ(round_trip_ms(site(), {{"cn-hubei", 0.6}, {"cn-beijing", 0.4}}), 60);
    EXPECT_EQ(round_trip_ms(site(), {{"cn-hubei", 0.96}, {"cn-beijing", 0.04}}), 8);
}

TEST(Callers, AnUnknownPlaceIsAsFarAsUsersAtLarge) {
    EXPECT_EQ(round_trip_ms(site(), {}), 30);
    EXPECT_EQ(round_trip_ms(site(), {{"cn-tibet", 1}}), 30);
    SiteSpec unmeasured;
    EXPECT_FALSE(round_trip_ms(unmeasured, {{"cn-hubei", 1}}));
    unmeasured.rtt_to = {{"cn-hubei", 8}};
    EXPECT_EQ(round_trip_ms(unmeasured, {{"cn-hubei", 0.97}, {"cn-tibet", 0.03}}), 8);
    EXPECT_FALSE(round_trip_ms(unmeasured, {{"cn-hubei", 0.9}, {"cn-tibet", 0.1}}));
}

TEST(Callers, AreTheSpecsOwnWordFirst) {
    Cluster cluster;
    Input input{.spec = cluster.spec, .spec_sha256 = "", .callers = {{"cn-beijing", 1}}};
    EXPECT_EQ(callers_of(input), (std::vector<CallerShare>{{"cn-beijing", 1}}));
    cluster.spec.placement->near = "cn-hubei";
    EXPECT_EQ(callers_of(input), (std::vector<CallerShare>{{"cn-hubei", 1}}));
}

TEST(Callers, AReplicaGoesWhereItsCallersAreNear) {
    Cluster cluster;
    cluster.sites[0].spec.rtt_to = {{"cn-hubei", 5}, {"cn-beijing", 40}};
    cluster.sites[1].spec.rtt_to = {{"cn-hubei", 50}, {"cn-beijing", 50}};
    cluster.sites[2].spec.rtt_to = {{"cn-hubei", 40}, {"cn-beijing", 4}};
    const Strategy near{.latency = 1};
    EXPECT_EQ(cluster.winner(near), "edge");  // by rtt_ms
    cluster.spec.placement->near = "cn-hubei";
    EXPECT_EQ(cluster.winner(near), "centre");
    cluster.spec.placement->near = "cn-beijing";
    EXPECT_EQ(cluster.winner(near), "regional");
}

TEST(Callers, TheLimitOnTheRoundTripIsForThemAndThePlanNamesThem) {
    Cluster cluster;
    cluster.sites[0].spec.rtt_to = {{"cn-hubei", 5}};
    cluster.spec.placement->near = "cn-hubei";
    cluster.constraints().max_rtt_ms = 6;
    const Plan plan = cluster.plan();
    ASSERT_TRUE(plan.feasible);
    EXPECT_EQ(plan.candidates[0].site + " " + plan.candidates[1].site, "centre edge");
    EXPECT_EQ(plan.candidates[2].filter, FilterReason::rtt_too_high);
    EXPECT_EQ(plan.callers, (std::vector<CallerShare>{{"cn-hubei", 1}}));
    EXPECT_NE(plan.explanation.find("round trips are those from cn-hubei"), std::string::npos)
        << plan.explanation;
}

}  // namespace
}  // namespace penstock::scheduler
