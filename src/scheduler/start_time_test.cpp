// SPDX-License-Identifier: Apache-2.0
#include "scheduler/start_time.h"

#include <gtest/gtest.h>

#include "scheduler/plan_fixture.h"

namespace penstock::scheduler {
namespace {

// One site whose hours differ: dirty and dear at first, clean in the third hour, cheap in the
// fifth.
struct Hours : Cluster {
    Outlook outlook;

    Hours() {
        sites = {sites[0]};
        nodes = {nodes[0]};
        nodes[0].total.cpu_milli = 500;  // room for one
        sites[0].spec.watts_per_core = 2000;
        sites[0].spec.pue = 1;
        profile.run_time = 1h;
        outlook = {
            .carbon_g_per_kwh = HourlySeries(kStart, {500, 400, 50, 300, 300, 300, 300, 300}),
            .power_price_per_kwh = HourlySeries(kStart, {0.5, 0.4, 0.4, 0.4, -0.1, 0.4, 0.4, 0.4})
        };
    }
    Plan plan(Strategy strategy, const Calendar* calendar = nullptr) {
        spec.placement->optimize = strategy;
        Input input{.spec = spec, .spec_sha256 = "", .profile = profile, .now = kStart + 10min};
        input.supplies = {{&sites[0], nodes.data(), free_of(nodes[0]), &outlook, calendar}};
        return scheduler::plan(input);
    }
    std::string start(const Plan& plan) {
        const auto at = plan.candidates.front().start_at;
        return at ? to_rfc3339(*at).substr(11, 5) : "now";
    }
};

TEST(StartTime, WithoutADeadlineWorkStartsAtOnce) {
    Hours h;
    EXPECT_EQ(h.start(h.plan({.green = 1})), "now");
    EXPECT_EQ(h.plan({.green = 1}).candidates.size(), 1U);
}

TEST(StartTime, GreenWaitsForTheCleanHourAndCostForTheCheapOne) {
    Hours h;
    h.spec.deadline = kStart + 7h;
    EXPECT_EQ(h.start(h.plan({.green = 1})), "02:00");
    EXPECT_EQ(h.start(h.plan({.cost = 1})), "04:00");
    EXPECT_EQ(h.start(h.plan({.duration = 1})), "now");
    const Candidate chosen = h.plan({.green = 1}).candidates.front();
    EXPECT_NEAR(*chosen.terms.carbon_g, 50, 1e-9);
    EXPECT_NEAR(*chosen.terms.duration_s, 110 * 60 + 3600, 1e-9) << "waiting counts";
    EXPECT_EQ(to_string(*h.plan({.cost = 1}).candidates.front().terms.cost), "-0.064");
}

TEST(StartTime, NeverWaitsPastTheDeadline) {
    Hours h;
    h.spec.deadline = kStart + 2h + 59min;
    EXPECT_EQ(h.start(h.plan({.green = 1})), "01:00");
}

TEST(StartTime, WaitsForRoomInTheCalendarAndSkipsWhatIsReserved) {
    Hours h;
    Calendar calendar(h.nodes[0].total);
    calendar.reserve(request_of(h.spec), kStart, 1h);
    calendar.reserve(request_of(h.spec), kStart + 2h, 1h);
    EXPECT_EQ(h.start(h.plan({.green = 1}, &calendar)), "01:00");
    h.spec.deadline = kStart + 7h;
    EXPECT_EQ(h.start(h.plan({.green = 1}, &calendar)), "04:00") << "as clean as 03:00, cheaper";
}

TEST(StartTime, ACalendarThatIsFullUntilTheDeadlineLeavesNoStart) {
    Hours h;
    Calendar calendar(h.nodes[0].total);
    calendar.reserve(request_of(h.spec), kStart, 3h);
    h.spec.deadline = kStart + 3h + 30min;
    const Plan made = h.plan({.green = 1}, &calendar);
    EXPECT_FALSE(made.feasible);
    EXPECT_EQ(made.candidates.front().filter, FilterReason::deadline_too_near);
}

TEST(StartTime, WhatIsOverTheBudgetNowMayWaitForACheapHour) {
    Hours h;
    h.spec.deadline = kStart + 7h;
    h.profile.run_time = 1h;
    h.spec.placement->optimize = {.duration = 1};
    Input input{.spec = h.spec, .spec_sha256 = "", .profile = h.profile, .now = kStart};
    input.budget_left = *parse_money("0.01");
    input.supplies = {{h.sites.data(), h.nodes.data(), Cluster::free_of(h.nodes[0]), &h.outlook}};
    EXPECT_EQ(h.start(plan(input)), "04:00");
}

TEST(StartTime, AnHourThatTheOutlookDoesNotCoverHasNoCarbonAndNoCost) {
    Hours h;
    h.profile.run_time = 9h;
    const Candidate only = h.plan({.green = 1}).candidates.front();
    EXPECT_FALSE(only.terms.carbon_g);
    EXPECT_FALSE(only.terms.cost);
}

TEST(StartTime, TheRouteOfStagedBytesIsPaidAndTakesTime) {
    Hours h;
    const Route route{.rtt_ms = 100, .bandwidth_mbps = 800, .egress_per_gb = *parse_price("0.5")};
    h.profile.staging_bytes = 10'000'000'000;
    Input input{.spec = h.spec, .spec_sha256 = "", .profile = h.profile, .now = kStart};
    input.supplies = {{h.sites.data(), h.nodes.data(), Cluster::free_of(h.nodes[0])}};
    input.supplies[0].staging = &route;
    const Terms terms = plan(input).candidates.front().terms;
    EXPECT_NEAR(*terms.duration_s, 100.1 + 3600, 1e-9);
    EXPECT_EQ(to_string(*terms.cost), "5.036");
}

TEST(StartTime, TheExplanationNamesTheStart) {
    Hours h;
    h.spec.deadline = kStart + 7h;
    const Plan made = h.plan({.green = 1});
    EXPECT_TRUE(made.explanation.starts_with("centre/centre-1 from 2026-11-24T02:00:00Z on wins: "))
        << made.explanation;
    EXPECT_TRUE(made.explanation_zh.starts_with("选中 centre/centre-1（2026-11-24T02:00:00Z 起）：")
    ) << made.explanation_zh;
}

}  // namespace
}  // namespace penstock::scheduler
