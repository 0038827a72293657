// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "model/alternatives.h"
#include "scheduler/plan_fixture.h"

namespace penstock::scheduler {
namespace {

TEST(Plan, EachPureStrategyWinsOnItsOwnTerm) {
    Cluster c;
    EXPECT_EQ(c.winner({.cost = 1}), "centre");
    EXPECT_EQ(c.winner({.green = 1}), "centre");
    EXPECT_EQ(c.winner({.latency = 1}), "edge");
    EXPECT_EQ(c.winner({.security = 1}), "centre");
}

TEST(Plan, IsTheSameInWhateverOrderTheSuppliesCome) {
    Cluster c;
    EXPECT_EQ(c.plan(false), c.plan(true));
}

TEST(Plan, KeepsEveryCandidateWithItsTermsOrItsFilter) {
    Cluster c;
    c.constraints().max_rtt_ms = 10;
    const Plan made = c.plan();
    ASSERT_EQ(made.candidates.size(), 3U);
    EXPECT_EQ(made.candidates.back().filter, FilterReason::rtt_too_high);
    EXPECT_EQ(made.candidates.back().filter_detail, "asks for 10 ms at most, has 28 ms");
    EXPECT_TRUE(made.candidates.back().terms.cost);
    EXPECT_EQ(made.candidates.front().rank, 1);
    EXPECT_EQ(made.candidates.front().regret_inputs_best.latency_ms, 2);
}

TEST(Plan, AnUnknownTermCostsTheWorstRegretAndIsNeverGuessed) {
    Cluster c;
    c.sites[0].spec.carbon_g_per_kwh.reset();
    EXPECT_EQ(c.winner({.green = 1}), "regional");
    const Plan made = c.plan();
    const auto centre = std::ranges::find(made.candidates, "centre", &Candidate::site);
    EXPECT_FALSE(centre->terms.carbon_g);
}

TEST(Plan, AStrategyWhoseTermNobodyKnowsIsDecidedByTheOthersAndSaysSo) {
    Cluster c;
    for (Site& site : c.sites) site.spec.watts_per_core.reset();
    EXPECT_EQ(c.winner({.green = 1}), "edge");
    EXPECT_NE(c.plan().explanation.find("Nobody's green is known"), std::string::npos)
        << c.plan().explanation;
}

TEST(Plan, ANodeThatFailedIsTakenOnlyWhenNothingElseIsLeft) {
    Cluster c;
    c.avoid = {c.nodes[0].id};
    EXPECT_EQ(c.winner({.cost = 1}), "regional");
    c.nodes[1].state = c.nodes[2].state = NodeState::unreachable;
    EXPECT_EQ(c.winner({.cost = 1}), "centre");
    EXPECT_NE(c.plan().explanation.find("failed here before"), std::string::npos);
}

TEST(Plan, HoldsAnHourWhereTheRunTimeIsUnknownAndNeverMoreThanTheBudget) {
    Cluster c;
    c.spec.placement->optimize = {.cost = 1};
    EXPECT_EQ(to_string(*c.plan().hold), "0.036");  // 0.5 core × 0.00002 × 3600
    EXPECT_EQ(
        c.plan().estimate_basis,
        "run time not known: an hour is held, cost and carbon are of an hour"
    );
    c.budget = *parse_money("0.01");
    EXPECT_EQ(to_string(*c.plan().hold), "0.01");
    c.budget.reset();
    c.profile.run_time = 30min;
    c.items = 10;
    EXPECT_EQ(to_string(*c.plan().hold), "0.018");
    EXPECT_EQ(to_string(*c.plan().estimated_cost), "0.18");
}

TEST(Plan, PaysEgressForStagedDataUnlessTheyAreThereAlready) {
    Cluster c;
    c.sites[1].spec.egress_per_gb = *parse_price("0.5");
    for (Site& site : c.sites) site.spec.bandwidth_mbps = 1000;
    c.profile = {
        .run_time = 60s, .staging_bytes = 100'000'000'000, .staging_source = &c.sites[1].spec
    };
    EXPECT_EQ(c.winner({.cost = 1}), "edge");
    const Plan made = c.plan();
    const auto centre = std::ranges::find(made.candidates, "centre", &Candidate::site);
    EXPECT_EQ(to_string(*centre->terms.cost), "50.0006");
    EXPECT_EQ(to_string(*centre->terms.egress), "50.00");
    EXPECT_FALSE(made.candidates.front().terms.egress);
    EXPECT_NEAR(*centre->terms.duration_s, 860.028, 1e-9);
    EXPECT_EQ(*made.candidates.front().terms.duration_s, 60);
}

TEST(Plan, EgressIsNoPartOfWhatIsHeldEstimatedOrBoundedByTheBudget) {
    Cluster c;
    const Site store{.spec = {.name = "store", .egress_per_gb = *parse_price("0.5")}};
    for (Site& site : c.sites) site.spec.bandwidth_mbps = 1000;
    c.profile = {.run_time = 60s, .staging_bytes = 100'000'000'000, .staging_source = &store.spec};
    c.budget = *parse_money("1");

    const Plan plan = c.plan();

    EXPECT_TRUE(plan.feasible);
    EXPECT_EQ(to_string(*plan.candidates.front().terms.egress), "50.00");
    EXPECT_LT(*plan.estimated_cost, *parse_money("1"));
    EXPECT_LT(*plan.hold, *parse_money("1"));
    EXPECT_NE(plan.explanation.find("50.00 yuan are egress, not charged"), std::string::npos)
        << plan.explanation;
}

TEST(Plan, OfAnUnknownRunTimeRatesAreComparedAndNoSumIsForetold) {
    Cluster c;
    c.spec.placement->optimize = {.cost = 1};

    const Plan plan = c.plan();

    const Candidate& winner = plan.candidates.front();
    EXPECT_TRUE(winner.terms.per_hour);
    EXPECT_EQ(to_string(*winner.terms.cost), "0.036") << "of an hour";
    EXPECT_EQ(winner.terms.duration_s, 0) << "beside the run";
    EXPECT_EQ(plan.estimated_cost, std::nullopt);
    EXPECT_NE(plan.explanation.find("0.036 yuan an hour"), std::string::npos) << plan.explanation;
}

TEST(Plan, RatesOfAnUnknownRunTimeAreNotComparedWithSums) {
    Cluster c;
    c.equip(0, "H100", 8000, "0.01");
    c.equip(1, "A10", 8000, "0.001");
    c.spec.resources.accelerators =
        Accelerators{.choices = {*parse_accelerator("H100:1"), *parse_accelerator("A10:1")}};
    c.profile.run_time_on["H100"] = 100h;
    c.spec.placement->optimize = {.cost = 1};

    const Plan plan = c.plan();

    EXPECT_EQ(plan.candidates[0].request.accelerator->model, "H100");
    EXPECT_EQ(plan.candidates[1].terms.cost, std::nullopt)
        << "an hour of the A10 costs less than 100 of the H100, and says nothing";
}

TEST(Plan, WhoStatesNoPriceOfEgressAsksNothing) {
    Cluster c;
    const Site store{.spec = {.name = "store"}};
    c.profile = {.run_time = 60s, .staging_bytes = 1'000'000'000, .staging_source = &store.spec};

    const Plan plan = c.plan();

    EXPECT_TRUE(plan.candidates.front().terms.cost);
    EXPECT_FALSE(plan.candidates.front().terms.egress);
}

TEST(Plan, PinsTheSiteThatACUrlOrABareRegistrationCodeNames) {
    Cluster c;
    c.sites[1].c_url = "c-url://hb.node.example/R2101002420100A10000007KF";
    c.spec.placement->identity = "R2101002420100A10000007KF";
    EXPECT_EQ(c.winner({.cost = 1}), "edge");
    c.spec.placement->identity = "c-url://other.node.example/R2101002420100A10000007KF";
    EXPECT_EQ(c.winner({.cost = 1}), "edge");
    EXPECT_EQ(c.plan().candidates.back().filter, FilterReason::identity_differs);
}

TEST(Plan, WithoutABandwidthTheDurationOfStagingIsUnknown) {
    Cluster c;
    c.profile = {.run_time = 60s, .staging_bytes = 1000};
    EXPECT_FALSE(c.plan().candidates.front().terms.duration_s);
}

TEST(Plan, AnAlternativePairsAPlaceWithItsAccelerators) {
    Cluster c;
    c.equip(0, "H100", 8000, "0.01");
    c.equip(1, "A10", 8000, "0.001");
    c.equip(2, "A10", 8000, "0.002");
    c.spec.resources.any_of = {
        {.infra = "*/cn-centre", .accelerators = Accelerators{{*parse_accelerator("H100:1")}}},
        {.infra = "*/cn-regional", .accelerators = Accelerators{{*parse_accelerator("A10:1")}}}
    };
    unite_accelerators(c.spec.resources);

    EXPECT_EQ(c.winner({.cost = 1}), "regional") << "the cheapest of the pairs";
    const Plan plan = c.plan();
    EXPECT_EQ(plan.candidates.back().site, "edge");
    EXPECT_EQ(plan.candidates.back().filter, FilterReason::region_not_allowed);
    EXPECT_NE(
        plan.candidates.back().filter_detail.find("*/cn-centre with H100:1 |"), std::string::npos
    ) << plan.candidates.back().filter_detail;

    c.spec.resources.ordered = std::move(c.spec.resources.any_of);
    c.spec.resources.any_of.clear();
    EXPECT_EQ(c.winner({.cost = 1}), "centre") << "the first, whatever it costs";
    c.nodes[0].state = NodeState::unreachable;
    EXPECT_EQ(c.winner({.cost = 1}), "regional") << "the next where the first is out";
}

TEST(Plan, OfASetTheBestAcceleratorWinsOfAListTheFirstThatFits) {
    Cluster c;
    c.equip(0, "H100", 8000, "0.01");
    c.equip(1, "A10", 8000, "0.001");
    c.spec.resources.accelerators =
        Accelerators{.choices = {*parse_accelerator("H100:1"), *parse_accelerator("A10:1")}};
    EXPECT_EQ(c.winner({.cost = 1}), "edge");
    c.spec.resources.accelerators->ordered = true;
    EXPECT_EQ(c.winner({.cost = 1}), "centre");
    c.nodes[0].cordoned = true;
    EXPECT_EQ(c.winner({.cost = 1}), "edge");
}

TEST(Plan, ANodeWithTwoOfTheSetIsOneCandidatePerAccelerator) {
    Cluster c;
    c.equip(0, "H100", 1000, "0.01");
    c.equip(0, "A10", 1000, "0.001");
    c.profile.run_time_on = {{"H100", 60s}, {"A10", 3600s}};
    c.spec.resources.accelerators =
        Accelerators{.choices = {*parse_accelerator("A10"), *parse_accelerator("H100")}};
    c.spec.placement->optimize = {.duration = 1};
    const Plan made = c.plan();
    EXPECT_EQ(made.candidates.size(), 4U);
    EXPECT_EQ(made.candidates.front().request.accelerator->model, "H100");
    EXPECT_FALSE(made.candidates.front().terms.carbon_g) << "nobody told what an H100 draws";
}

TEST(Plan, CountsTheCarbonOfAcceleratorsWhoseDrawIsKnown) {
    Cluster c;
    c.equip(0, "H100", 1000, "0.01");
    c.spec.resources.accelerators = Accelerators{.choices = {*parse_accelerator("H100:0.5")}};
    c.profile.watts_per_device = {{"H100", 700}};
    EXPECT_NEAR(
        *c.plan().candidates.front().terms.carbon_g, (0.5 * 5 + 350) / 1000 * 1.3 * 300, 1e-9
    );
}

TEST(Plan, BelievesTheSiteBeforeTheMakerOnWhatADeviceDraws) {
    Cluster c;
    c.equip(0, "H100", 1000, "0.01");
    c.spec.resources.accelerators = Accelerators{.choices = {*parse_accelerator("H100:1")}};
    c.profile.watts_per_device = {{"H100", 700}};
    c.sites.front().spec.watts_per_device = {{"H100", 500}};
    EXPECT_NEAR(
        *c.plan().candidates.front().terms.carbon_g, (0.5 * 5 + 500) / 1000 * 1.3 * 300, 1e-9
    );
}

TEST(Plan, ListsAtMostTheLimitAndOneOfEachReason) {
    Cluster c;
    for (std::size_t i = 0; i < kCandidatesMax + 100; ++i)
        c.add("more-" + std::to_string(i), "0.00004", 400, 20, TrustLevel::basic, {});
    c.nodes.back().cordoned = true;
    const Plan made = c.plan();
    EXPECT_EQ(made.candidates.size(), kCandidatesMax);
    EXPECT_EQ(made.candidates.back().filter, FilterReason::node_cordoned);
    EXPECT_TRUE(made.explanation.ends_with(". 103 more candidates are not listed"))
        << made.explanation;
}

TEST(HourlyPrice, IsExact) {
    Cluster c;
    c.sites[0].spec.prices.gib_second = *parse_price("0.000002");
    EXPECT_EQ(
        to_string(*hourly_price(c.sites[0], {.cpu_milli = 500, .memory_mib = 512})), "0.0396"
    );
}

TEST(HourlyPrice, IsRoundedUpWhereNoDecimalHoldsIt) {
    Cluster c;
    c.sites[0].spec.prices.core_second = {1, 15};
    EXPECT_EQ(to_string(*hourly_price(c.sites[0], {.cpu_milli = 1})), "0.000000000000004");
}

TEST(HourlyPrice, OfAHugePriceIsAnErrorAndNeverAWrap) {
    Cluster c;
    c.sites[0].spec.prices.core_second = {INT64_MAX, 0};
    EXPECT_EQ(
        hourly_price(c.sites[0], {.cpu_milli = INT64_MAX}).error().code, ErrorCode::invalid_argument
    );
}

}  // namespace
}  // namespace penstock::scheduler
