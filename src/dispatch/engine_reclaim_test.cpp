// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <map>
#include <sstream>

#include "dispatch/decision_log.h"
#include "dispatch/dispatch_fixture.h"
#include "dispatch/replay.h"
#include "json/json.h"

namespace penstock::dispatch {
namespace {

struct Reclaims : testing::Test {
    Yard yard;
    OrganisationId organisation = yard.ids.next<OrganisationId>(kStart);
    ProjectId project = yard.ids.next<ProjectId>(kStart);
    SiteId site = yard.site("here");
    std::map<AttemptId, std::string> names;
    std::vector<LeavableWork> leavable;

    void add_nodes(int count, const NodeParts& parts) {
        for (int i = 0; i < count; ++i) {
            NodeParts each = parts;
            each.name += std::to_string(i);
            yard.node(site, each);
        }
    }
    NodeId node(std::string_view name) const {
        for (const NodeId id : yard.nodes)
            if (yard.fleet.find_node(id)->name == name) return id;
        ADD_FAILURE() << "no node " << name;
        return {};
    }
    // Work of the project that may leave, on devices of its own.
    AttemptId run(
        const std::string& name, std::string_view on, const ResourceRequest& request,
        std::int64_t priority = 0, Duration unsaved = 60s, DevicePositions positions = {}
    ) {
        const AttemptId attempt = yard.ids.next<AttemptId>(kStart);
        EXPECT_TRUE(yard.fleet.hold(attempt, node(on), request, std::move(positions)).has_value());
        names[attempt] = name;
        leavable.push_back(
            {.organisation_id = organisation,
             .project_id = project,
             .priority = priority,
             .runs = {{attempt, unsaved}}}
        );
        return attempt;
    }
    DecisionQuestion asked(DecisionQuestion question, std::int64_t priority = 5) const {
        question.spec.priority = priority;
        question.reclaim = ReclaimQuestion{
            .organisation_id = organisation,
            .project_id = project,
            .tenants = {},
            .leavable = leavable,
            .promised = {}
        };
        return question;
    }
    // "who leaves -> where there is room then", or "nobody".
    std::string reclaim(const DecisionQuestion& question) {
        const DecisionAnswer answer = yard.engine.decide(question);
        if (!answer.reclaim) return "nobody";
        std::ostringstream text;
        for (const ReclaimAnswer::Victim& victim : answer.reclaim->victims)
            text << names.at(victim.attempt_id) << ' ';
        text << "->";
        for (const PromisedRoom& place : answer.reclaim->places)
            text << ' ' << yard.fleet.find_node(place.node_id)->name;
        if (!answer.reclaim->cell.empty()) text << " in one " << answer.reclaim->cell;
        return text.str();
    }
};

TEST_F(Reclaims, RoomIsCountedByDeviceAndNotBySum) {
    add_nodes(1, {.name = "n", .devices = {"H100", "H100"}});
    run("left", "n0", Yard::request(250, "H100", 500), 0, 60s, {0});
    run("right", "n0", Yard::request(250, "H100", 500), 0, 90s, {1});

    // A whole device is free in sum before anyone leaves, and in truth when one has left.
    EXPECT_EQ(reclaim(asked(Yard::question({Yard::request(250, "H100", 1000)}))), "left -> n0");
}

TEST_F(Reclaims, LinkedDevicesAreClearedInOneDomain) {
    add_nodes(
        1, {.name = "n", .devices = std::vector<std::string>(4, "H100"), .per_link_domain = 2}
    );
    run("a", "n0", Yard::request(250, "H100", 1000), 0, 10s, {0});
    run("b", "n0", Yard::request(250, "H100", 1000), 0, 40s, {1});
    run("c", "n0", Yard::request(250, "H100", 1000), 0, 20s, {2});
    run("d", "n0", Yard::request(250, "H100", 1000), 0, 20s, {3});

    EXPECT_EQ(reclaim(asked(Yard::question({Yard::linked(250, "H100", 2)}))), "c d -> n0");
}

TEST_F(Reclaims, OfEqualCostsTheOneThatLeavesFewerFragmentsIsTaken) {
    add_nodes(2, {.name = "n", .cpus = 32, .devices = {"H100", "H100"}});
    // The work to come asks for whole nodes: what keeps one device busy spoils the other.
    for (int i = 0; i < 40; ++i) {
        yard.place(Yard::request(250, "H100", 2000));
        yard.fleet.release(yard.last);
    }
    run("alone", "n0", Yard::request(250, "H100", 2000), 0, 30s);
    run("pair-1", "n1", Yard::request(250, "H100", 1000), 0, 60s, {0});
    run("pair-2", "n1", Yard::request(250, "H100", 1000), 0, 60s, {1});

    // Each choice loses a minute of one device, or half a minute of two. Clearing n0 would leave
    // one device of two idle; of n1 none.
    EXPECT_EQ(reclaim(asked(Yard::question({Yard::request(250, "H100", 1000)}))), "pair-1 -> n1");
}

TEST_F(Reclaims, AGangGetsTheCheapestOfTheSmallestCellsThatCanBeCleared) {
    add_nodes(2, {.name = "a", .devices = {"H100"}, .rack = "a"});
    add_nodes(2, {.name = "b", .devices = {"H100"}, .rack = "b"});
    const ResourceRequest one = Yard::request(250, "H100");
    run("a0", "a0", one, 1, 10s);
    run("a1", "a1", one, 0, 10s);
    run("b0", "b0", one, 0, 500s);
    run("b1", "b1", one, 0, 500s);

    // Node by node a1 and one of b are the cheapest, but no rack holds those two.
    EXPECT_EQ(reclaim(asked(Yard::gang_question(2, {one}))), "b0 b1 -> b0 b1 in one rack");
    EXPECT_EQ(reclaim(asked(Yard::gang_question(3, {one}))), "a1 b0 b1 -> a1 b0 b1 in one site");
    EXPECT_EQ(
        reclaim(asked(Yard::gang_question(3, {one}, TopologySpec{.pack = "rack"}))), "nobody"
    );
}

TEST_F(Reclaims, AGangThatIsSpreadTakesOneNodeOfEachRack) {
    add_nodes(2, {.name = "a", .devices = {"H100"}, .rack = "a"});
    add_nodes(2, {.name = "b", .devices = {"H100"}, .rack = "b"});
    const ResourceRequest one = Yard::request(250, "H100");
    run("a0", "a0", one, 0, 10s);
    run("a1", "a1", one, 0, 20s);
    run("b0", "b0", one, 0, 900s);
    run("b1", "b1", one, 0, 500s);

    EXPECT_EQ(
        reclaim(asked(Yard::gang_question(2, {one}, TopologySpec{.pack = "site", .spread = "rack"}))
        ),
        "a0 b1 -> a0 b1 in one site"
    );
}

TEST_F(Reclaims, NobodyLeavesAGangThatCannotBeWhole) {
    add_nodes(3, {.name = "n", .devices = {"H100"}});
    const ResourceRequest one = Yard::request(250, "H100");
    run("low", "n0", one, 0);
    run("high", "n1", one, 9);
    run("equal", "n2", one, 5);

    EXPECT_EQ(reclaim(asked(Yard::gang_question(2, {one}))), "nobody");
}

TEST_F(Reclaims, RoomThatIsPromisedToOthersIsTheirs) {
    add_nodes(1, {.name = "n", .devices = {"H100", "H100"}});
    const ResourceRequest one = Yard::request(250, "H100");
    run("goes", "n0", one, 0, 10s);
    leavable.back().leaves = true;
    run("stays", "n0", one, 0, 60s);

    DecisionQuestion question = asked(Yard::question({one}));
    EXPECT_EQ(reclaim(question), "nobody");  // what leaves is enough
    question.reclaim->promised = {{node("n0"), one}};
    EXPECT_EQ(reclaim(question), "stays -> n0");
}

TEST_F(Reclaims, AGuaranteeIsTakenBackOnlyAsFarAsItGoes) {
    add_nodes(2, {.name = "n", .devices = {"H100", "H100"}});
    const OrganisationId borrower = yard.ids.next<OrganisationId>(kStart);
    const ProjectId theirs = yard.ids.next<ProjectId>(kStart);
    const ResourceRequest two = Yard::request(250, "H100", 2000);
    for (const char* name : {"n0", "n1"}) {
        run(name, name, two, 9);
        leavable.back().organisation_id = borrower;
        leavable.back().project_id = theirs;
    }
    DecisionQuestion question = asked(Yard::question({two}), 0);
    question.reclaim->tenants = {
        {.organisation_id = organisation, .quota = {.guaranteed = {.devices = {{"H100", 2}}}}},
        {.organisation_id = borrower,
         .project_id = theirs,
         .used = {.cpu_milli = 500, .memory_mib = 512, .accelerator_milli = {{"H100", 4000}}}}
    };

    EXPECT_EQ(reclaim(question), "n0 -> n0");
    DecisionQuestion gang = asked(Yard::gang_question(2, {two}), 0);
    gang.reclaim->tenants = question.reclaim->tenants;
    EXPECT_EQ(reclaim(gang), "nobody");
}

TEST_F(Reclaims, IsMadeAgainFromItsRecordToTheByte) {
    DecisionLog log(yard.engine);
    yard.fleet.tell(log);
    add_nodes(4, {.name = "n", .devices = {"H100", "H100"}, .rack = "r"});
    const ResourceRequest two = Yard::request(250, "H100", 2000);
    for (int i = 0; i < 4; ++i) run("w" + std::to_string(i), "n" + std::to_string(i), two, i % 2);
    const DecisionQuestion question = asked(Yard::gang_question(2, {two}));
    const DecisionAnswer answer = yard.engine.decide(question);
    ASSERT_TRUE(answer.reclaim);
    const DecisionId id = yard.ids.next<DecisionId>(kStart);
    (void)log.add({.id = id, .at = kStart, .outcome = DecisionOutcome::preempt}, question, answer);
    for (const ReclaimAnswer::Victim& victim : answer.reclaim->victims)
        yard.fleet.release(victim.attempt_id);

    const auto kept = log.record(id);
    ASSERT_TRUE(kept) << to_string(kept.error());
    auto record = json::parse<DecisionRecord>(json::print(*kept));

    ASSERT_TRUE(record) << to_string(record.error());
    EXPECT_EQ(replay(*record).difference, "");
    std::swap(record->answer.reclaim->victims[0], record->answer.reclaim->victims[1]);
    EXPECT_NE(replay(*record).difference, "");
}

}  // namespace
}  // namespace penstock::dispatch
