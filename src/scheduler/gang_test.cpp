// SPDX-License-Identifier: Apache-2.0
#include "scheduler/gang.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "scheduler/plan_fixture.h"

namespace penstock::scheduler {
namespace {

// "site/rack/node" of region cn-SITE's first letter; earlier ones are better.
std::vector<Seat> seats(const std::vector<std::string>& places) {
    std::vector<Seat> all;
    for (const std::string& place : places) {
        const std::size_t first = place.find('/'), second = place.rfind('/');
        Seat seat{.candidate = all.size(), .score = static_cast<std::int64_t>(all.size())};
        seat.site = place.substr(0, first);
        seat.region = "cn-" + seat.site.substr(0, 1);
        seat.rack = place.substr(first + 1, second - first - 1);
        seat.node = place.substr(second + 1);
        all.push_back(std::move(seat));
    }
    return all;
}

std::string shown(const std::vector<Seat>& all, const GangRules& rules) {
    const std::optional<GangChoice> choice = choose_gang(all, rules);
    if (!choice) return "none";
    std::string text(name_of(choice->level));
    text += " " + choice->cell + ":";
    for (const std::size_t member : choice->members)
        text += " " + all[member].site + "/" + all[member].node;
    return text;
}

TEST(ChooseGang, TakesTheTightestRackThatHoldsIt) {
    const auto all = seats({"a/r1/n1", "a/r1/n2", "a/r1/n3", "a/r2/n4", "a/r2/n5", "a/r3/n6"});

    EXPECT_EQ(shown(all, {.members = 2}), "rack a/r2: a/n4 a/n5");
    EXPECT_EQ(shown(all, {.members = 3}), "rack a/r1: a/n1 a/n2 a/n3");
    EXPECT_EQ(shown(all, {.members = 5}), "site a: a/n1 a/n2 a/n3 a/n4 a/n5");
}

TEST(ChooseGang, StaysInOneSiteUnlessMoreAreAllowed) {
    const auto all = seats({"ax/r1/n1", "ax/r1/n2", "ay/r1/n3", "b/r1/n4"});

    EXPECT_EQ(shown(all, {.members = 3}), "none");
    EXPECT_EQ(
        shown(all, {.members = 3, .widest = GangLevel::metro}), "metro cn-a: ax/n1 ax/n2 ay/n3"
    );
    EXPECT_EQ(
        shown(all, {.members = 4, .widest = GangLevel::any}),
        "any all sites: ax/n1 ax/n2 ay/n3 b/n4"
    );
    EXPECT_EQ(shown(all, {.members = 4, .widest = GangLevel::any, .max_sites = 2}), "none");
}

TEST(ChooseGang, TakesTheSiteWhoseMembersAreBest) {
    const auto all = seats({"a/r1/n1", "b/r1/n2", "b/r1/n3", "a/r9/n4"});

    EXPECT_EQ(shown(all, {.members = 2}), "rack b/r1: b/n2 b/n3");
}

TEST(ChooseGang, SpreadsOverRacksOrSites) {
    const auto all = seats({"a/r1/n1", "a/r1/n2", "a/r2/n3", "b/r1/n4"});

    EXPECT_EQ(shown(all, {.members = 2, .spread = GangLevel::rack}), "site a: a/n1 a/n3");
    EXPECT_EQ(shown(all, {.members = 3, .spread = GangLevel::rack}), "none");
    EXPECT_EQ(
        shown(all, {.members = 2, .widest = GangLevel::any, .spread = GangLevel::site}),
        "any all sites: a/n1 b/n4"
    );
}

TEST(ChooseGang, MembersHaveEqualAcceleratorsAndANodeIsTakenOnce) {
    std::vector<Seat> all = seats({"a/r1/n1", "a/r1/n1", "a/r1/n2", "a/r1/n3"});
    all[0].accelerator = "H100:8";
    for (std::size_t i = 1; i < all.size(); ++i) all[i].accelerator = "A100:8";

    EXPECT_EQ(shown(all, {.members = 3}), "rack a/r1: a/n1 a/n2 a/n3");
    EXPECT_EQ(choose_gang(all, {.members = 3})->members, (std::vector<std::size_t>{1, 2, 3}));
    EXPECT_EQ(shown(all, {.members = 4}), "none");
}

// ---- in plans

// `count` nodes of one site with H100, in racks of two.
struct GangCluster : Cluster {
    explicit GangCluster(std::size_t count) {
        const Site site = sites[0];
        Node node = nodes[0];
        sites.clear();
        nodes.clear();
        for (std::size_t i = 0; i < count; ++i) {
            node.id = ids.next<NodeId>(kStart);
            node.name = "n" + std::to_string(i + 1);
            node.labels[kRackLabel] = "r" + std::to_string(i / 2 + 1);
            nodes.push_back(node);
            sites.push_back(site);
            equip(i, "H100", 8000, "0.01");
        }
        spec.resources.accelerators = Accelerators{.choices = {{"H100", 8000}}};
    }
    Plan plan_of(std::int64_t members) {
        spec.num_nodes = members;
        return plan();
    }
};

std::string golden(const std::string& name, const std::string& now) {
    const std::string path = "testdata/" + name;
    if (std::getenv("PENSTOCK_UPDATE_GOLDEN")) std::ofstream(path) << now;
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

TEST(GangPlan, MarksItsMembersFirstAndAddsTheirMoneyUp) {
    GangCluster c(3);
    c.profile.run_time = 2h;
    const Plan one = c.plan_of(1);

    const Plan made = c.plan_of(2);

    ASSERT_TRUE(made.feasible);
    EXPECT_EQ(made.gang->level, "rack");
    EXPECT_EQ(made.gang->cell, "centre/r1");
    EXPECT_EQ(made.gang->room, 3);
    EXPECT_TRUE(made.candidates[0].chosen && made.candidates[1].chosen);
    EXPECT_FALSE(made.candidates[2].chosen);
    EXPECT_EQ(made.hold->micro(), 2 * one.hold->micro());
    EXPECT_EQ(made.estimated_cost->micro(), 2 * one.estimated_cost->micro());
    EXPECT_FALSE(one.gang);
}

TEST(GangPlan, TheBudgetIsThatOfAllMembers) {
    GangCluster c(3);
    c.profile.run_time = 1h;
    c.budget = Money::micro(c.plan_of(1).hold->micro() * 2);

    EXPECT_EQ(c.plan_of(2).hold, c.budget);
    EXPECT_FALSE(c.plan_of(3).feasible);
}

TEST(GangPlan, TakesNodesThatFailedBeforeWhereNothingElseMakesAWhole) {
    GangCluster c(3);
    c.avoid = {c.nodes[0].id};
    EXPECT_EQ(c.plan_of(2).gang->level, "site");

    const Plan made = c.plan_of(3);

    EXPECT_TRUE(made.feasible);
    EXPECT_EQ(made.candidates[0].filter_detail, "failed here before; nothing else is left");
}

TEST(GangPlan, SaysWhetherWaitingHelps) {
    GangCluster c(3);
    c.nodes[0].held.accelerator_milli["H100"] = 1000;
    EXPECT_FALSE(c.plan_of(3).feasible);
    EXPECT_TRUE(c.plan_of(3).gang->ever);
    EXPECT_FALSE(c.plan_of(4).gang->ever);
}

TEST(GangPlan, IsTheSameInWhateverOrderTheSuppliesCome) {
    GangCluster c(7);
    c.spec.num_nodes = 5;
    EXPECT_EQ(c.plan(false), c.plan(true));
}

TEST(GangPlan, WordsAreAsInTheGoldenFile) {
    std::string now;
    const auto say = [&](const Plan& plan) {
        now += plan.explanation + "\n" + plan.explanation_zh + "\n";
    };
    GangCluster c(5);
    say(c.plan_of(2));
    say(c.plan_of(4));
    c.nodes[3].held.accelerator_milli["H100"] = 4000;
    c.nodes[4].state = NodeState::unreachable;
    say(c.plan_of(4));
    say(c.plan_of(9));
    c.spec.placement->topology = TopologySpec{.pack = "rack"};
    say(c.plan_of(3));
    c.spec.placement->topology = TopologySpec{.spread = "rack"};
    say(c.plan_of(3));
    GangCluster small(2);
    say(small.plan_of(3));
    Cluster wide;
    wide.spec.num_nodes = 2;
    say(wide.plan());
    wide.spec.placement->topology = TopologySpec{.max_sites = 2};
    say(wide.plan());
    wide.spec.num_nodes = 3;
    say(wide.plan());
    EXPECT_EQ(now, golden("gangs.txt", now));
}

}  // namespace
}  // namespace penstock::scheduler
