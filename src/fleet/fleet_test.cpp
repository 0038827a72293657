// SPDX-License-Identifier: Apache-2.0
#include "fleet/fleet.h"

#include <gtest/gtest.h>

namespace penstock::fleet {
namespace {

const Time kStart = *parse_rfc3339("2026-11-24T00:00:00Z");

struct FleetFixture {
    SeededRandom random{1};
    IdSource ids{random};
    Fleet fleet;
    SiteId site = ids.next<SiteId>(kStart);
    NodeId node;
    FleetFixture() {
        Site centre{
            .id = site, .spec = {.name = "centre", .region = "cn-hubei", .division_code = "420100"}
        };
        centre.spec.prices.core_second = *parse_price("0.0001");
        EXPECT_TRUE(fleet.add_site(centre));
        const AgentHello hello{.node = "n1", .total = {.cpu_milli = 4000, .memory_mib = 8192}};
        node = fleet.hello(site, hello, ids.next<NodeId>(kStart), kStart)->id;
    }
};

TEST(Fleet, HoldsNeverPassWhatANodeHas) {
    FleetFixture f;
    const AttemptId first = f.ids.next<AttemptId>(kStart), second = f.ids.next<AttemptId>(kStart);
    EXPECT_TRUE(f.fleet.hold(first, f.node, {.cpu_milli = 3000, .memory_mib = 100}));
    EXPECT_EQ(
        f.fleet.hold(second, f.node, {.cpu_milli = 1001}).error().code,
        ErrorCode::resource_exhausted
    );
    f.fleet.release(first);
    f.fleet.release(first);
    EXPECT_TRUE(f.fleet.hold(second, f.node, {.cpu_milli = 4000}));
    EXPECT_EQ(f.fleet.free_of(*f.fleet.find_node(f.node)).cpu_milli, 0);
}

TEST(Fleet, NoDevicePassesAWholeOne) {
    FleetFixture f;
    AgentHello hello{.node = "cards", .total = {.cpu_milli = 4000, .memory_mib = 8192}};
    hello.devices = {
        {.index = 0, .model = "H100", .health = Health::ok},
        {.index = 1, .model = "H100", .health = Health::ok}
    };
    hello.total.accelerator_milli["H100"] = 2000;
    const NodeId node = f.fleet.hello(f.site, hello, f.ids.next<NodeId>(kStart), kStart)->id;
    const auto hold = [&](std::int64_t milli, std::vector<std::int64_t> devices) {
        const ResourceRequest request{.accelerator = Accelerator{"H100", milli}};
        const Result<void> held =
            f.fleet.hold(f.ids.next<AttemptId>(kStart), node, request, std::move(devices));
        return held ? "held" : held.error().message;
    };

    EXPECT_EQ(hold(600, {0}), "held");
    EXPECT_EQ(hold(600, {0}), "device 0 of node centre/cards has no room left");
    EXPECT_EQ(hold(1000, {2}), "device 2 of node centre/cards is not there");
    EXPECT_EQ(hold(1000, {1}), "held");
    EXPECT_EQ(hold(400, {0, 1}), "a hold names 2 devices, not what it asks for");
    EXPECT_EQ(hold(400, {0}), "held");
    EXPECT_EQ(hold(1, {0}), "node centre/cards has no room left");
}

TEST(Fleet, ReportsASilentNodeOnce) {
    FleetFixture f;
    EXPECT_TRUE(f.fleet.tick(kStart + kNodeLostAfter - 1us).empty());
    EXPECT_EQ(f.fleet.tick(kStart + kNodeLostAfter), std::vector{f.node});
    EXPECT_TRUE(f.fleet.tick(kStart + kNodeLostAfter).empty());
    EXPECT_EQ(f.fleet.find_node("centre/n1")->state, NodeState::unreachable);
}

TEST(Fleet, TheSameNodeComesBackUnderItsId) {
    FleetFixture f;
    const AgentHello hello{.node = "n1", .total = {.cpu_milli = 2000, .memory_mib = 1024}};
    EXPECT_EQ(f.fleet.hello(f.site, hello, f.ids.next<NodeId>(kStart), kStart + 1h)->id, f.node);
    EXPECT_EQ(f.fleet.find_node("n1")->total.cpu_milli, 2000);
}

TEST(Fleet, OffersShowWhatIsFreeAndHowOldThatIs) {
    FleetFixture f;
    EXPECT_TRUE(
        f.fleet.hold(f.ids.next<AttemptId>(kStart), f.node, {.cpu_milli = 1000, .memory_mib = 512})
    );
    const std::vector<Offer> offers = f.fleet.offers(kStart + 3s);
    ASSERT_EQ(offers.size(), 2U);
    EXPECT_EQ(offers[0].id, "centre/cpu");
    EXPECT_EQ(offers[0].free.cpu_milli, 3000);
    EXPECT_EQ(offers[0].age_seconds, 3);
    EXPECT_EQ(offers[0].price_per_hour, "0.36");
}

TEST(Fleet, ANewOutlookReplacesTheOldAndABadOneChangesNothing) {
    FleetFixture f;
    EXPECT_EQ(f.fleet.find_outlook(f.site), nullptr);
    EXPECT_TRUE(f.fleet.state_outlook(
        f.site, {.from = kStart, .carbon_g_per_kwh = {500, 400}, .source = "grid"}, kStart
    ));
    EXPECT_TRUE(
        f.fleet.state_outlook(f.site, {.from = kStart, .price_percent = {70}}, kStart + 1min)
    );
    const Result<SiteOutlook> bad =
        f.fleet.state_outlook(f.site, {.from = kStart, .price_percent = {0}}, kStart + 2min);

    EXPECT_EQ(bad.error().field, "price_percent[0]");
    EXPECT_EQ(
        f.fleet.find_outlook(f.site)->spec, (OutlookSpec{.from = kStart, .price_percent = {70}})
    );
    EXPECT_EQ(f.fleet.find_outlook(f.site)->stated_at, kStart + 1min);
}

TEST(Fleet, NamesTheFieldOfABadRoute) {
    SiteSpec spec{.name = "x", .region = "cn", .division_code = "420100"};
    spec.routes["y"] = {.rtt_ms = 5, .bandwidth_mbps = 100};
    EXPECT_TRUE(validate(spec));
    spec.routes["y"].bandwidth_mbps = 0;
    EXPECT_EQ(validate(spec).error().field, "routes.y.bandwidth_mbps");
    spec.routes = {{"x", {.rtt_ms = 5, .bandwidth_mbps = 100}}};
    EXPECT_EQ(validate(spec).error().field, "routes.x");
}

TEST(Fleet, NamesTheFieldOfABadSite) {
    EXPECT_EQ(
        validate({.name = "x", .region = "cn", .division_code = "42"}).error().field,
        "division_code"
    );
    EXPECT_EQ(validate({.name = "X"}).error().field, "name");
}

}  // namespace
}  // namespace penstock::fleet
