// SPDX-License-Identifier: Apache-2.0
#include "dispatch/engine.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "dispatch/dispatch_fixture.h"

namespace penstock::dispatch {
namespace {

std::string names_of(const Plan& plan) {
    std::string names;
    for (const Candidate& candidate : plan.candidates)
        names += (names.empty() ? "" : " ") + candidate.node;
    return names;
}

TEST(Engine, PacksTheNodesOfASiteByItsPolicyWhereTheTermsAreEqual) {
    Yard yard;
    const SiteId site = yard.site("centre", {{"cpu", "best-fit"}});
    yard.node(site, {.name = "a", .cpus = 16});
    yard.node(site, {.name = "b", .cpus = 4});

    EXPECT_EQ(yard.place(Yard::request(1000)), "b");
    EXPECT_EQ(yard.place(Yard::request(1000)), "b");
    EXPECT_EQ(yard.place(Yard::request(4000)), "a");
}

TEST(Engine, SpreadsWhereTheSiteSaysSo) {
    Yard yard;
    const SiteId site = yard.site("centre", {{"cpu", "spread"}});
    yard.node(site, {.name = "a"});
    yard.node(site, {.name = "b"});

    EXPECT_EQ(yard.place(Yard::request(1000)), "a");
    EXPECT_EQ(yard.place(Yard::request(1000)), "b");
}

TEST(Engine, ShowsEveryNodeOfASmallPlatformThePickFirst) {
    Yard yard;
    const SiteId site = yard.site("centre", {{"cpu", "best-fit"}});
    yard.node(site, {.name = "a", .cpus = 16});
    yard.node(site, {.name = "b", .cpus = 4});

    const DecisionAnswer decision = yard.decide({Yard::request(1000)});

    EXPECT_EQ(names_of(decision.plan), "b a");
    EXPECT_NE(
        decision.plan.explanation.find("the site's placement policy decided"), std::string::npos
    );
}

TEST(Engine, PutsWorkWhereItDrawsLeastWhereTheSiteSaysSo) {
    Yard yard;
    const SiteId site = yard.site("centre", {{"H100", "pwr"}}, {{"H100", 70}});
    yard.node(site, {.name = "a", .cpus = 16, .devices = {"H100", "H100"}});
    yard.node(site, {.name = "b", .cpus = 16, .devices = {"H100", "H100"}});

    EXPECT_EQ(yard.place(Yard::request(1000, "H100", 500)), "a:0");
    EXPECT_EQ(yard.place(Yard::request(1000, "H100", 1000)).substr(0, 1), "a");
    // The half device that runs already draws all it can: no more watts for the other half.
    EXPECT_EQ(yard.place(Yard::request(1000, "H100", 500)), "a:0");
}

TEST(Engine, TakesDevicesOfOneLinkDomainWhereItCan) {
    Yard yard;
    const SiteId site = yard.site("centre");
    yard.node(
        site, {.name = "a",
               .cpus = 16,
               .devices = std::vector<std::string>(8, "H100"),
               .per_link_domain = 4}
    );

    EXPECT_EQ(yard.place(Yard::request(1000, "H100")), "a:0");
    EXPECT_EQ(yard.place(Yard::request(1000, "H100", 4000)), "a:4,5,6,7");
    EXPECT_EQ(yard.place(Yard::request(1000, "H100", 2000)), "a:1,2");
}

TEST(Engine, EightFreeDevicesInTwoHalvesAreNotAFreeDomain) {
    Yard yard;
    const SiteId site = yard.site("centre");
    const std::vector<std::string> eight(8, "H100");
    yard.node(site, {.name = "a", .cpus = 16, .devices = eight, .per_link_domain = 4});
    yard.node(site, {.name = "b", .cpus = 16, .devices = eight});

    EXPECT_NE(
        yard.place(Yard::linked(1000, "H100", 8)).find("has at most 4 that are"), std::string::npos
    );
    EXPECT_EQ(yard.place(Yard::linked(1000, "H100", 3)), "a:0,1,2");
    EXPECT_EQ(yard.place(Yard::linked(1000, "H100", 3)), "a:4,5,6");
    // Two are free on "a", and eight on "b", of which no two are linked.
    EXPECT_NE(
        yard.place(Yard::linked(1000, "H100", 2)).find("within one link domain"), std::string::npos
    );
}

TEST(Engine, ANodeOfManyDevicesGivesThoseOfOneLinkDomain) {
    Yard yard;
    const SiteId site = yard.site("centre");
    yard.node(
        site, {.name = "a",
               .cpus = 64,
               .devices = std::vector<std::string>(64, "H100"),
               .per_link_domain = 32}
    );
    EXPECT_EQ(yard.place(Yard::request(1000, "H100")), "a:0");
    const std::string held = yard.place(Yard::linked(1000, "H100", 32));
    EXPECT_TRUE(held.starts_with("a:32,33,")) << held;
    EXPECT_TRUE(held.ends_with(",63")) << held;
}

TEST(Engine, GivesWholeDevicesOnlyWhereTheyAreWhollyFree) {
    Yard yard;
    const SiteId site = yard.site("centre");
    yard.node(site, {.name = "a", .devices = {"H100", "H100"}});

    EXPECT_EQ(yard.place(Yard::request(1000, "H100", 600)), "a:0");
    EXPECT_EQ(yard.place(Yard::request(1000, "H100", 600)), "a:1");
    const std::string refused = yard.place(Yard::request(1000, "H100", 500));
    EXPECT_EQ(refused.substr(0, 49), "- centre/a, the only node, cannot take it: asks H")
        << refused;
    EXPECT_EQ(yard.place(Yard::request(1000, "H100", 400)), "a:0");
}

TEST(Engine, FreesTheVeryDeviceThatWasHeld) {
    Yard yard;
    const SiteId site = yard.site("centre");
    yard.node(site, {.name = "a", .devices = {"H100", "H100", "H100"}});
    EXPECT_EQ(yard.place(Yard::request(1000, "H100")), "a:0");
    const AttemptId first = yard.last;
    EXPECT_EQ(yard.place(Yard::request(1000, "H100")), "a:1");

    yard.fleet.release(first);

    EXPECT_EQ(yard.place(Yard::request(1000, "H100", 2000)), "a:0,2");
}

TEST(Engine, AvoidsANodeUnlessNothingElseFits) {
    Yard yard;
    const SiteId site = yard.site("centre");
    const NodeId a = yard.node(site, {.name = "a"});
    const NodeId b = yard.node(site, {.name = "b", .cpus = 2});

    EXPECT_EQ(yard.place(Yard::request(1000), {b}), "a");
    EXPECT_EQ(yard.place(Yard::request(4000), {a}), "a");
}

TEST(Engine, TakesNothingFromAClosedNode) {
    Yard yard;
    const SiteId site = yard.site("centre");
    const NodeId a = yard.node(site, {.name = "a"});
    yard.node(site, {.name = "b", .cpus = 64});

    (void)yard.fleet.set_cordoned(a, true);
    EXPECT_EQ(yard.place(Yard::request(1000)), "b");
    (void)yard.fleet.set_cordoned(a, false);
    EXPECT_EQ(yard.place(Yard::request(1000)), "a");
    (void)yard.fleet.tick(kStart + 1min);
    EXPECT_EQ(yard.place(Yard::request(1000)).substr(0, 28), "- none of 2 nodes can take i");
}

TEST(Engine, CountsANodeOfSeveralModelsOnceInEachOfItsPools) {
    Yard yard;
    const SiteId site = yard.site("centre");
    yard.node(site, {.name = "a", .cpus = 2, .devices = {"H100", "A100", "A100"}});

    EXPECT_EQ(yard.place(Yard::request(1000, "A100")), "a:1");
    EXPECT_EQ(yard.place(Yard::request(1000, "H100")), "a:0");
    EXPECT_EQ(yard.place(Yard::request(1000, "A100")).substr(0, 2), "- ");
    EXPECT_EQ(yard.place(Yard::request(1000)).substr(0, 2), "- ");
}

TEST(Engine, PlacesOnNodesWithMoreDevicesThanASlice) {
    Yard yard;
    const SiteId site = yard.site("centre");
    yard.node(site, {.name = "a", .cpus = 64, .devices = std::vector<std::string>(40, "H100")});

    EXPECT_EQ(yard.place(Yard::request(1000, "H100", 16'000)).substr(0, 6), "a:0,1,");
    EXPECT_EQ(yard.place(Yard::request(1000, "H100", 20'000)).substr(0, 8), "a:16,17,");
    EXPECT_EQ(yard.place(Yard::request(1000, "H100", 5'000)).substr(0, 2), "- ");
    EXPECT_EQ(yard.place(Yard::request(1000, "H100", 4'000)), "a:36,37,38,39");
}

TEST(Engine, CountsWhatALargePlatformDoesNotList) {
    Yard yard;
    const SiteId site = yard.site("centre");
    for (int i = 0; i < 50; ++i)
        yard.node(site, {.name = "n" + std::to_string(i), .cpus = i < 20 ? 4 : 8});
    for (int i = 0; i < 50; ++i) (void)yard.place(Yard::request(3000));

    const Plan fits = yard.decide({Yard::request(4000)}).plan;
    for (int i = 0; i < 30; ++i) (void)yard.place(Yard::request(3000));
    const Plan full = yard.decide({Yard::request(4000)}).plan;
    const Plan never = yard.decide({Yard::request(16'000)}).plan;

    EXPECT_EQ(fits.candidates.size(), 1);
    EXPECT_EQ(fits.candidates[0].alike, 14);
    EXPECT_EQ(full.explanation.substr(0, 32), "none of 50 nodes can take it: 50")
        << full.explanation;
    EXPECT_EQ(never.candidates[0].filter, FilterReason::cpu_too_large);
}

TEST(Engine, DoesNotTakeABusyLargeNodeForOneThatIsTooSmall) {
    Yard yard;
    const SiteId site = yard.site("centre");
    for (int i = 0; i < 40; ++i) yard.node(site, {.name = "n" + std::to_string(i), .cpus = 2});
    yard.node(site, {.name = "z", .cpus = 8});
    EXPECT_EQ(yard.place(Yard::request(8000)), "z");

    const Plan plan = yard.decide({Yard::request(8000)}).plan;

    EXPECT_FALSE(plan.feasible);
    EXPECT_EQ(names_of(plan), "n0 z");
    EXPECT_EQ(plan.candidates[0].alike, 39);
    EXPECT_EQ(plan.candidates[1].filter, FilterReason::insufficient_cpu);
}

TEST(Engine, StagesByTheRouteThatTheSourceStates) {
    Yard yard;
    yard.node(yard.site("near"), {.name = "a"});
    yard.node(yard.site("far"), {.name = "b"});
    yard.node(yard.site("unstated"), {.name = "c"});
    DecisionQuestion question = Yard::question({Yard::request(1000)});
    question.runs.run_time = 100s;
    question.runs.staging_bytes = 1'000'000'000;
    question.runs.staging_source = SiteSpec{.name = "store"};
    question.runs.staging_source->egress_per_gb = *parse_price("0.5");
    question.runs.staging_source->routes["near"] = {.rtt_ms = 0, .bandwidth_mbps = 8000};
    question.runs.staging_source->routes["far"] = {
        .rtt_ms = 1000, .bandwidth_mbps = 80, .egress_per_gb = *parse_price("0.2")
    };

    std::map<std::string, std::optional<double>> seconds;
    std::map<std::string, std::string> egress;
    for (const Candidate& each : yard.engine.decide(question).plan.candidates) {
        seconds[each.site] = each.terms.duration_s;
        egress[each.site] = to_string(each.terms.egress.value_or(Money()));
    }

    EXPECT_EQ(seconds["near"], 101);
    EXPECT_EQ(seconds["far"], 201);
    EXPECT_EQ(seconds["unstated"], std::nullopt) << "neither a route nor a link is stated";
    EXPECT_EQ(egress["near"], "0.50") << "the price of the site the bytes leave";
    EXPECT_EQ(egress["far"], "0.20") << "the price of the route wins";
    EXPECT_EQ(egress["unstated"], "0.50");
}

TEST(Engine, CountsHowOftenWorkStartsAgainAtEachSite) {
    Yard yard;
    const SiteId calm = yard.site("calm");
    const SiteId rough = yard.site("rough");
    yard.node(calm, {.name = "a", .devices = {"H100"}});
    yard.node(rough, {.name = "b", .devices = {"H100"}});
    DecisionQuestion question = Yard::question({Yard::request(1000, "H100")});
    question.runs.run_time = 10h;
    question.spec.placement.emplace();
    question.spec.placement->optimize = *strategy_named("cost");
    const auto chosen = [&] { return yard.engine.decide(question).plan.candidates[0].site; };
    const std::uint64_t before = yard.engine.position();

    for (const auto& [site, restarts] : {std::pair(calm, 1), std::pair(rough, 20)})
        yard.engine.restarts_put(
            {.site_id = site, .sku = "H100", .restarts = restarts, .running_ms = 360'000'000}
        );

    EXPECT_EQ(chosen(), "calm");
    EXPECT_EQ(yard.engine.position(), before + 2);
    yard.engine.restarts_put(
        {.site_id = calm, .sku = "H100", .restarts = 50, .running_ms = 360'000'000}
    );
    EXPECT_EQ(chosen(), "rough");
    EXPECT_TRUE(yard.engine.decide(question).plan.candidates[0].terms.restarts);
    EXPECT_EQ(Engine(yard.engine.state()).state(), yard.engine.state());
}

TEST(Engine, SaysWhichSitesLackTheModelAtAll) {
    Yard yard;
    const SiteId site = yard.site("centre");
    for (int i = 0; i < 40; ++i) yard.node(site, {.name = "n" + std::to_string(i)});

    const Plan plan = yard.decide({Yard::request(1000, "H100")}).plan;

    ASSERT_EQ(plan.candidates.size(), 1);
    EXPECT_EQ(plan.candidates[0].filter, FilterReason::accelerator_absent);
    EXPECT_EQ(plan.candidates[0].alike, 39);
}

TEST(Engine, SaysWhichSitesLackTheModelAfterTheirLastNodeOfItLostItsDevices) {
    Yard yard;
    const SiteId site = yard.site("centre");
    for (int i = 0; i < 40; ++i) yard.node(site, {.name = "n" + std::to_string(i)});
    yard.node(site, {.name = "n0", .devices = {"H100"}});
    ASSERT_TRUE(yard.decide({Yard::request(1000, "H100")}).plan.feasible);
    yard.node(site, {.name = "n0"});

    const Plan plan = yard.decide({Yard::request(1000, "H100")}).plan;

    ASSERT_EQ(plan.candidates.size(), 1);
    EXPECT_EQ(plan.candidates[0].filter, FilterReason::accelerator_absent);
    EXPECT_EQ(plan.candidates[0].alike, 39);
}

}  // namespace
}  // namespace penstock::dispatch
