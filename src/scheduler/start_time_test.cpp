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
        profile.run_time = profile.run_time_at_most = 1h;
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
    h.profile.run_time = h.profile.run_time_at_most = 1h;
    h.spec.placement->optimize = {.duration = 1};
    Input input{.spec = h.spec, .spec_sha256 = "", .profile = h.profile, .now = kStart};
    input.budget_left = *parse_money("0.01");
    input.supplies = {{h.sites.data(), h.nodes.data(), Cluster::free_of(h.nodes[0]), &h.outlook}};
    EXPECT_EQ(h.start(plan(input)), "04:00");
}

TEST(StartTime, AnHourThatTheOutlookDoesNotCoverHasNoCarbonAndNoCost) {
    Hours h;
    h.profile.run_time = h.profile.run_time_at_most = 9h;
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

TEST(StartTime, LeavesTheMarginAndWhatARunMayTakeLonger) {
    Hours h;
    h.spec.deadline = kStart + 5h;
    h.spec.placement->optimize = {.cost = 1};
    Input input{.spec = h.spec, .spec_sha256 = "", .profile = h.profile, .now = kStart};
    input.supplies = {{h.sites.data(), h.nodes.data(), Cluster::free_of(h.nodes[0]), &h.outlook}};
    EXPECT_EQ(h.start(plan(input)), "04:00");

    input.deadline_margin = 30min;
    EXPECT_EQ(h.start(plan(input)), "02:00") << "04:00 would leave no margin";

    input.deadline_margin = {};
    input.profile.run_time_at_most = 90min;
    EXPECT_EQ(h.start(plan(input)), "02:00") << "one run in ten takes more than an hour";

    input.profile.run_time_at_most.reset();
    const Plan unbounded = plan(input);
    EXPECT_EQ(h.start(unbounded), "now") << "how long it may take nobody knows";
    EXPECT_TRUE(unbounded.explanation.ends_with("is not known; state time_limit"));
}

TEST(StartTime, ItemsAreCountedAsIfTheyRanOneAfterAnother) {
    Hours h;
    h.spec.deadline = kStart + 5h;
    Input input{.spec = h.spec, .spec_sha256 = "", .items = 3, .profile = h.profile, .now = kStart};
    input.supplies = {{h.sites.data(), h.nodes.data(), Cluster::free_of(h.nodes[0]), &h.outlook}};
    h.spec.placement->optimize = {.green = 1};
    EXPECT_EQ(h.start(plan(input)), "02:00");
    input.items = 4;
    EXPECT_EQ(h.start(plan(input)), "01:00");
    input.at_once = true;
    EXPECT_EQ(h.start(plan(input)), "now");
}

TEST(StartTime, WhatIsPlacedInAnHourPaysItsPercentOfTheListPrice) {
    Hours h;
    h.spec.deadline = kStart + 7h;
    h.spec.resources.use_spot = true;
    h.sites[0].spec.prices.spot_percent = 50;
    h.outlook = {.percents_from = kStart, .price_percents = {100, 99, 61, 80}};

    const Plan made = h.plan({.cost = 1});

    const Candidate& chosen = made.candidates.front();
    EXPECT_EQ(h.start(made), "02:00");
    EXPECT_EQ(chosen.price_percent, 31) << "half of 61, rounded up";
    EXPECT_EQ(to_string(chosen.price_per_hour), "0.01116");
    EXPECT_EQ(to_string(*chosen.terms.cost), "0.01116");
    EXPECT_EQ(made.hold, chosen.terms.cost) << "what is held is what it is expected to cost";
    EXPECT_EQ(h.outlook.price_percent_at(kStart + 4h), std::nullopt);
    EXPECT_EQ(h.outlook.price_percent_at(kStart - 1us), std::nullopt);
}

TEST(StartTime, OfAStaleOutlookTheCarbonIsUnknownAndThePricesHold) {
    Hours h;
    h.spec.deadline = kStart + 7h;
    SiteOutlook stated{.spec = {.from = kStart}, .stated_at = kStart - kOutlookGoodFor + 20min};
    stated.spec.carbon_g_per_kwh.assign(8, 100);
    stated.spec.price_percent.assign(8, 50);
    h.outlook = outlook_of(stated);
    const Candidate fresh = h.plan({.green = 1}).candidates.front();
    EXPECT_NEAR(fresh.terms.carbon_g.value_or(0), 100, 1e-9);
    EXPECT_EQ(fresh.outlook->state, OutlookState::fresh);

    stated.stated_at -= 20min;
    h.outlook = outlook_of(stated);
    const Candidate stale = h.plan({.green = 1}).candidates.front();

    EXPECT_EQ(stale.terms.carbon_g, std::nullopt) << "not the figure of the site for every day";
    EXPECT_EQ(stale.price_percent, 50);
    EXPECT_EQ(stale.outlook, (OutlookAge{OutlookState::stale, 48 * 3600 + 600}));
}

TEST(StartTime, AGangStartsAtOnce) {
    Hours h;
    h.spec.deadline = kStart + 7h;
    h.spec.num_nodes = 2;
    EXPECT_EQ(h.plan({.green = 1}).candidates.size(), 1U);
}

TEST(StartTime, ThePlanSaysWhatStartingLaterGains) {
    Hours h;
    h.spec.deadline = kStart + 7h;
    const Plan made = h.plan({.green = 1});
    ASSERT_TRUE(made.later);
    EXPECT_EQ(made.later->start_at, kStart + 2h);
    EXPECT_EQ(
        made.later->text,
        "from 2026-11-24T02:00:00Z on at centre/centre-1: cost 0.436 yuan instead of 0.519334 "
        "yuan (16% less), green 50 g instead of 483.3 g (90% less), compared with centre/centre-1 "
        "at once"
    );
    EXPECT_EQ(
        made.later->text_zh,
        "2026-11-24T02:00:00Z 起在 centre/centre-1 运行：成本 0.436 元，而非 0.519334 元（减少 "
        "16%）；"
        "绿色 50 g，而非 483.3 g（减少 90%）（与在 centre/centre-1 立即开始相比）"
    );
    EXPECT_FALSE(h.plan({.duration = 1}).later);
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
