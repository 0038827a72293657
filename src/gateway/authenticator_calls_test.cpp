// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "gateway/authenticator.h"
#include "gateway/gateway_fixture.h"

// When a call waits for the server's word on its key.
namespace penstock::gateway {
namespace {

// A key whose time is over as soon as it was told; the server tells nothing more of it.
struct PastItsTime : Fixture {
    PastItsTime() {
        server.cache_keys_for = Duration{0};
        add_engine(whole_answer());
        EXPECT_EQ(ask(std::string(kChat)).status, 200);
        asked = server.keys_asked;
        server.keys_wait = true;
    }
    int asked = 0;
};

TEST(GatewayKeys, AKeyPastItsTimeIsAskedForBesideItsCall) {
    PastItsTime f;
    EXPECT_EQ(f.ask(std::string(kChat)).status, 200);
    EXPECT_EQ(f.ask(std::string(kChat)).status, 200);
    f.wait_until([&] { return f.server.keys_asked == f.asked + 1; }, "one question for both calls");

    f.server.may_use_tokens = false;
    f.server.answer_keys();
    f.wait_until([&] { return f.ask(std::string(kChat)).status == 403; }, "the answer to count");
}

TEST(GatewayKeys, AChangedKeyIsAskedForBeforeItsCall) {
    PastItsTime f;
    f.server.keys_wait = false;
    f.server.may_use_tokens = false;
    f.server.changed_keys = {to_hex(sha256(ScriptedServer::kKey))};
    f.apply_routes();
    EXPECT_EQ(f.ask(std::string(kChat)).status, 403);
}

// The server's answer was on its way when the key was revoked.
TEST(GatewayKeys, AKeyThatIsRevokedWhileItIsAskedForStaysRevoked) {
    PastItsTime f;
    EXPECT_EQ(f.ask(std::string(kChat)).status, 200);
    f.wait_until([&] { return f.server.keys_asked == f.asked + 1; }, "the question");
    const std::int64_t before = f.gateway->routes_version();
    f.server.set_routes(f.routes, {to_hex(sha256(ScriptedServer::kKey))});
    f.wait_until([&] { return f.gateway->routes_version() > before; }, "the revocation");
    f.server.answer_keys();
    for (int n = 0; n < 20; ++n) EXPECT_EQ(f.ask(std::string(kChat)).status, 401);
}

// Of what changed meanwhile it may not have heard.
TEST(GatewayKeys, AGatewayThatWasNotToldOfChangesAsksBeforeTheCall) {
    PastItsTime f;
    f.server.keys_wait = false;
    f.server.may_use_tokens = false;
    f.clock.ahead = Authenticator::kToldLately;
    EXPECT_EQ(f.ask(std::string(kChat)).status, 403);
}

// It hears again, but what it missed while it did not is not told again.
TEST(GatewayKeys, AKeyThatWasToldBeforeAGapIsAskedForBeforeItsCall) {
    PastItsTime f;
    f.server.keys_wait = false;
    f.server.may_use_tokens = false;
    f.clock.ahead = 2 * Authenticator::kToldLately;
    f.apply_routes();
    EXPECT_EQ(f.ask(std::string(kChat)).status, 403);
}

TEST(GatewayKeys, AKeyThatWasNotUsedForLongIsAskedForBeforeItsCall) {
    PastItsTime f;
    f.server.keys_wait = false;
    f.server.may_use_tokens = false;
    for (Duration ahead = 30s; ahead <= KeyCache::kBesideMax; ahead += 30s) {
        f.clock.ahead = ahead;
        f.apply_routes();  // it hears all the time
    }
    EXPECT_EQ(f.ask(std::string(kChat)).status, 403);
}

// It was told all the time that the key had not changed; only its money has no lease any more.
TEST(GatewayKeys, AKeyThatRestedIsGoodWhenTheServerGoesAway) {
    PastItsTime f;
    for (Duration ahead = 45s; ahead <= 2 * KeyCache::kStaleMax; ahead += 45s) {
        f.clock.ahead = ahead;
        f.apply_routes();
    }
    f.server.away = true;
    f.server.answer_keys();
    const ClientAnswer refused = f.ask(std::string(kChat));
    EXPECT_EQ(refused.status, 503);
    EXPECT_TRUE(refused.body.contains("the budget cannot be checked now")) << refused.body;
}

}  // namespace
}  // namespace penstock::gateway
