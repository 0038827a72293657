// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <filesystem>

#include "gateway/gateway_fixture.h"
#include "gateway/key_cache.h"

// Gateways that are restarted while the server is away.
namespace penstock::gateway {
namespace {

struct OutageFixture : Fixture {
    explicit OutageFixture(Money wallet = Money::micro(100'000'000)) {
        server.wallet = wallet;
        add_engine(whole_answer());
        EXPECT_EQ(ask(std::string(kChat)).status, 200);
        wait_for_records(1);
    }
    std::filesystem::path snapshot() const { return folder / "spool.snapshot"; }
    void fall_silent(std::vector<std::string> revoked = {}) {
        server.away = true;
        server.set_routes(
            routes, std::move(revoked)
        );  // the long poll under way is answered; the next one is not
        wait_until([&] { return std::filesystem::exists(snapshot()); }, "the snapshot");
    }
    void restart() {
        stop_gateway(100ms);
        start_gateway();
    }
};

TEST(Outage, ARestartedGatewayServesOnAndSettlesEachCallOnce) {
    OutageFixture f;
    f.fall_silent();
    EXPECT_EQ(f.ask(std::string(kChat)).status, 200);
    f.restart();
    f.wait_until([&] { return f.gateway->ready(); }, "the snapshot to be in use");

    EXPECT_EQ(f.ask(std::string(kChat)).status, 200);
    f.restart();
    f.wait_until([&] { return f.gateway->ready(); }, "the snapshot to be in use again");
    EXPECT_EQ(f.ask(std::string(kChat)).status, 200);
    EXPECT_EQ(f.server.records.size(), 1U);

    f.server.away = false;
    f.wait_for_records(4);
    f.wait_until([&] { return !std::filesystem::exists(f.snapshot()); }, "the snapshot to go");
    EXPECT_EQ(f.ask(std::string(kChat)).status, 200);
    f.stop_gateway();
    EXPECT_EQ(to_string(f.server.reserved()), "0");
}

TEST(Outage, AnHourIsServedOverARestart) {
    OutageFixture f;
    f.fall_silent();
    f.clock.ahead = 55min;
    f.restart();
    f.wait_until([&] { return f.gateway->ready(); }, "the snapshot to be in use");

    EXPECT_EQ(f.ask(std::string(kChat)).status, 200);

    f.clock.ahead = {};
    f.server.away = false;
    f.wait_for_records(2);
}

TEST(Outage, WhatIsLeftIsTheSameAfterARestart) {
    OutageFixture f(Money::micro(20'000));
    f.fall_silent();
    std::size_t served = 0;
    while (f.ask(std::string(kChat)).status == 200 && served < 2'000) ++served;
    EXPECT_GT(served, 0U);
    EXPECT_LT(served, 2'000U);

    f.restart();
    f.wait_until([&] { return f.gateway->ready(); }, "the snapshot to be in use");
    EXPECT_NE(f.ask(std::string(kChat)).status, 200);

    f.server.away = false;
    f.wait_for_records(served + 1);
    EXPECT_EQ(f.server.records.size(), served + 1);
}

TEST(Outage, WhereTheServerAnswersItsWordCounts) {
    OutageFixture f;
    f.fall_silent();
    f.stop_gateway(100ms);
    EXPECT_TRUE(std::filesystem::exists(f.snapshot()));
    f.server.away = false;

    f.start_gateway();
    f.wait_until([&] { return f.server.reserved().is_zero(); }, "the earlier leases to end");

    EXPECT_FALSE(std::filesystem::exists(f.snapshot()));
    f.wait_until([&] { return f.gateway->ready(); }, "the routes");
    EXPECT_EQ(f.ask(std::string(kChat)).status, 200);
}

TEST(Outage, ARevokedKeyDoesNotComeBack) {
    OutageFixture f;
    const std::vector<std::string> revoked{to_hex(sha256(ScriptedServer::kKey))};
    f.server.set_routes(f.routes, revoked);
    f.wait_until([&] { return f.ask(std::string(kChat)).status == 401; }, "the revocation");
    f.fall_silent(revoked);
    f.restart();
    f.wait_until([&] { return f.gateway->ready(); }, "the snapshot to be in use");

    EXPECT_NE(f.ask(std::string(kChat)).status, 200);

    f.server.away = false;
}

TEST(Outage, ATornSnapshotIsNotUsed) {
    OutageFixture f;
    f.fall_silent();
    f.stop_gateway(100ms);
    std::filesystem::resize_file(f.snapshot(), std::filesystem::file_size(f.snapshot()) - 1);
    f.start_gateway();
    f.wait_until([&] { return !std::filesystem::exists(f.snapshot()); }, "it to be put away");

    EXPECT_FALSE(f.gateway->ready());
    EXPECT_EQ(f.ask(std::string(kChat)).status, 503);

    f.server.away = false;
    f.wait_until([&] { return f.gateway->ready(); }, "the routes");
    EXPECT_EQ(f.ask(std::string(kChat)).status, 200);
}

TEST(Outage, ASnapshotThatIsTooOldIsNotUsed) {
    OutageFixture f;
    f.fall_silent();
    f.stop_gateway(100ms);
    f.clock.ahead = 2h;

    f.start_gateway();
    f.wait_until([&] { return !std::filesystem::exists(f.snapshot()); }, "it to be put away");

    EXPECT_FALSE(f.gateway->ready());
    f.clock.ahead = {};
    f.server.away = false;
}

}  // namespace
}  // namespace penstock::gateway
