// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "dispatch/dispatch_fixture.h"

namespace penstock::dispatch {
namespace {

std::string shown(const DecisionAnswer& answer) {
    std::string text;
    for (const Candidate& each : answer.plan.candidates) {
        text += (text.empty() ? "" : " ") + each.node + (each.chosen ? "*" : "");
        if (each.alike) text += "+" + std::to_string(*each.alike);
    }
    return text;
}

struct GangSite : Yard {
    SiteId centre = site("centre");

    // Nodes a00, a01 … with two devices each, in racks of `per_rack`.
    void nodes_in_racks(int count, int per_rack) {
        for (int i = 0; i < count; ++i)
            node(
                centre, {.name = (i < 10 ? "a0" : "a") + std::to_string(i),
                         .devices = {"H100", "H100"},
                         .rack = "r" + std::to_string(i / per_rack)}
            );
    }
};

TEST(EngineGang, NamesTheDevicesOfEachMemberByRank) {
    GangSite yard;
    yard.nodes_in_racks(4, 2);
    EXPECT_EQ(yard.place(Yard::request(1000, "H100"), {}), "a00:0");

    EXPECT_EQ(
        yard.place_gang(Yard::gang_question(2, {Yard::request(1000, "H100")})), "a00:1 a01:0"
    );
    EXPECT_EQ(
        yard.place_gang(Yard::gang_question(2, {Yard::request(1000, "H100", 2000)})),
        "a02:0,1 a03:0,1"
    );
}

TEST(EngineGang, HoldsNothingWhereNotAllFit) {
    GangSite yard;
    yard.nodes_in_racks(3, 3);
    EXPECT_EQ(yard.place(Yard::request(1000, "H100", 2000), {}), "a00:0,1");

    const DecisionAnswer answer =
        yard.engine.decide(Yard::gang_question(3, {Yard::request(1000, "H100")}));

    EXPECT_FALSE(answer.plan.feasible);
    EXPECT_TRUE(answer.plan.gang->ever);
    EXPECT_FALSE(answer.devices_by_rank);
    EXPECT_TRUE(yard.engine.holds_of(answer).empty());
    EXPECT_FALSE(
        yard.engine.decide(Yard::gang_question(4, {Yard::request(1000, "H100")})).plan.gang->ever
    );
}

TEST(EngineGang, ALargePlatformShowsItsMembersAndOneNodeForAllOthersAlike) {
    GangSite yard;
    yard.nodes_in_racks(40, 8);
    EXPECT_EQ(yard.place(Yard::request(8000), {}), "a00");

    const DecisionAnswer answer =
        yard.engine.decide(Yard::gang_question(3, {Yard::request(1000, "H100")}));

    // The rack where one node is full is the tightest.
    EXPECT_EQ(shown(answer), "a01* a02* a03* a04+35 a00");
    EXPECT_EQ(answer.plan.gang->room, 39);
    EXPECT_EQ(answer.plan.gang->level, "rack");
}

TEST(EngineGang, ALargePlatformSaysHowManyNodesLackWhat) {
    GangSite yard;
    yard.nodes_in_racks(40, 8);
    for (int i = 0; i < 30; ++i) (void)yard.place(Yard::request(8000), {});

    const DecisionAnswer answer =
        yard.engine.decide(Yard::gang_question(12, {Yard::request(1000, "H100")}));

    EXPECT_NE(
        answer.plan.explanation.find("needs 12 nodes with 1 H100, 10 have room"), std::string::npos
    ) << answer.plan.explanation;
    EXPECT_NE(
        answer.plan.explanation.find("Of the others: 30 short of free CPU"), std::string::npos
    ) << answer.plan.explanation;
}

TEST(EngineGang, LiesInOneDomainWhereThatIsAsked) {
    GangSite yard;
    yard.node(yard.centre, {.name = "a", .rack = "r1", .domain = "d1"});
    yard.node(yard.centre, {.name = "b", .rack = "r1", .domain = "d2"});
    yard.node(yard.centre, {.name = "c", .rack = "r1", .domain = "d2"});
    const auto in_a_domain = [](std::int64_t nodes) {
        return Yard::gang_question(nodes, {Yard::request(1000)}, TopologySpec{.pack = "domain"});
    };

    EXPECT_EQ(yard.place_gang(in_a_domain(2)), "b c");
    EXPECT_EQ(yard.place_gang(in_a_domain(3)).substr(0, 1), "-");
}

TEST(EngineGang, TakesANodeThatFailedOnlyWhereNothingElseMakesAWhole) {
    GangSite yard;
    yard.nodes_in_racks(36, 36);
    const DecisionQuestion most =
        Yard::gang_question(35, {Yard::request(1000, "H100")}, {}, {yard.nodes[0]});
    const DecisionQuestion all =
        Yard::gang_question(36, {Yard::request(1000, "H100")}, {}, {yard.nodes[0]});

    EXPECT_EQ(yard.engine.decide(most).plan.candidates[0].node, "a01");
    EXPECT_EQ(yard.engine.decide(all).plan.candidates[0].node, "a00");
    EXPECT_EQ(
        yard.engine.decide(all).plan.candidates[0].filter_detail,
        "failed here before; nothing else is left"
    );
}

TEST(EngineGang, OfAnAmountWithoutAListOfDevicesNoneIsNamed) {
    GangSite yard;
    for (const char* name : {"a", "b"}) {
        AgentHello hello = Yard::hello_of({.name = name});
        hello.total.accelerator_milli["H100"] = 2000;
        yard.nodes.push_back(
            yard.fleet.hello(yard.centre, hello, yard.ids.next<NodeId>(kStart), kStart)->id
        );
    }

    EXPECT_EQ(yard.place_gang(Yard::gang_question(2, {Yard::request(1000, "H100")})), "a b");
}

}  // namespace
}  // namespace penstock::dispatch
