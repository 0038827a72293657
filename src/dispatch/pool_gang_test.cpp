// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "dispatch/dispatch_fixture.h"

namespace penstock::dispatch {
namespace {

std::string text_of(const std::optional<GangPick>& gang) {
    if (!gang) return "-";
    std::string text;
    for (const Pick& pick : gang->tasks) {
        text += (text.empty() ? "" : " ") + pick.host->node().name;
        for (const std::int64_t device : pick.devices) text += ":" + std::to_string(device);
    }
    return text;
}

struct GangYard : Yard {
    SiteId site_id;
    GangYard() : site_id(site("centre")) {}
    std::string gang(
        const ResourceRequest& request, std::int32_t count,
        placement::Level widest = placement::Level::cluster, std::vector<NodeId> avoid = {}
    ) {
        return text_of(engine.pick_gang(site_id, {request, count, widest}, avoid));
    }
};

TEST(PoolGang, LiesInTheSmallestCellAllOrNothing) {
    GangYard yard;
    yard.node(yard.site_id, {.name = "a", .devices = {"H100", "H100"}});
    yard.node(yard.site_id, {.name = "b", .devices = {"H100", "H100", "H100", "H100"}});

    EXPECT_EQ(yard.gang(Yard::request(1000, "H100"), 2), "a:0 a:1");
    EXPECT_EQ(yard.gang(Yard::request(1000, "H100", 2000), 3), "b:0:1 b:2:3 a:0:1");
    EXPECT_EQ(yard.gang(Yard::request(1000, "H100", 2000), 4), "-");
    EXPECT_EQ(yard.gang(Yard::request(1000, "H100", 2000), 3, placement::Level::node), "-");
}

TEST(PoolGang, TakesNothingBeforeItIsHeld) {
    GangYard yard;
    yard.node(yard.site_id, {.name = "a", .devices = {"H100", "H100"}});

    EXPECT_EQ(yard.gang(Yard::request(1000, "H100"), 2), "a:0 a:1");
    EXPECT_EQ(yard.gang(Yard::request(1000, "H100"), 2), "a:0 a:1");
    EXPECT_EQ(yard.place(Yard::request(1000, "H100", 2000)), "a:0,1");
    EXPECT_EQ(yard.gang(Yard::request(1000, "H100"), 1), "-");
}

TEST(PoolGang, LeavesOutWhatIsToBeAvoided) {
    GangYard yard;
    const NodeId a = yard.node(yard.site_id, {.name = "a"});
    yard.node(yard.site_id, {.name = "b"});

    EXPECT_EQ(yard.gang(Yard::request(2000), 4, placement::Level::cluster, {a}), "b b b b");
    EXPECT_EQ(yard.gang(Yard::request(2000), 5, placement::Level::cluster, {a}), "-");
}

TEST(PoolGang, KeepsWithinARackWhereItMust) {
    GangYard yard;
    yard.node(yard.site_id, {.name = "a", .cpus = 2, .rack = "r1"});
    yard.node(yard.site_id, {.name = "b", .cpus = 2, .rack = "r2"});
    yard.node(yard.site_id, {.name = "c", .cpus = 2, .rack = "r2"});

    EXPECT_EQ(yard.gang(Yard::request(2000), 2, placement::Level::rack), "b c");
    EXPECT_EQ(yard.gang(Yard::request(2000), 3, placement::Level::rack), "-");
}

TEST(PoolGang, CountsTheProcessorsOfANodeOfSeveralSlicesOnce) {
    GangYard yard;
    yard.node(
        yard.site_id, {.name = "a", .cpus = 16, .devices = std::vector<std::string>(32, "H100")}
    );

    EXPECT_EQ(yard.gang(Yard::request(1000, "H100"), 20).substr(0, 4), "-");
    EXPECT_EQ(yard.gang(Yard::request(500, "H100"), 20).substr(0, 4), "a:0 ");
}

TEST(PoolGang, NamesWhoWouldHaveToGoAndChangesNothing) {
    GangYard yard;
    yard.node(yard.site_id, {.name = "a", .devices = {"H100", "H100"}});
    yard.node(yard.site_id, {.name = "b", .devices = {"H100", "H100"}});
    Stoppable stoppable;
    std::vector<AttemptId> attempts;
    for (const std::int64_t lost : {100, 100, 5, 5}) {
        (void)yard.place(Yard::request(1000, "H100"));
        attempts.push_back(yard.last);
        stoppable[yard.last] = {.priority = 0, .seconds_lost = lost};
    }
    const GangRequest gang{Yard::request(1000, "H100"), 2, placement::Level::node};

    const auto higher = yard.engine.pick_preemption(yard.site_id, gang, 5, stoppable);
    const auto equal = yard.engine.pick_preemption(yard.site_id, gang, 0, stoppable);

    ASSERT_TRUE(higher);
    EXPECT_EQ(higher->victims, (std::vector{attempts[2], attempts[3]}));
    EXPECT_EQ(text_of(higher->gang), "b:0 b:1");
    EXPECT_EQ(higher->device_seconds_lost, 10'000);
    EXPECT_FALSE(equal);
    EXPECT_EQ(yard.gang(Yard::request(1000, "H100"), 1), "-");
    yard.fleet.release(attempts[0]);
    EXPECT_EQ(yard.gang(Yard::request(1000, "H100"), 1), "a:0");
}

}  // namespace
}  // namespace penstock::dispatch
