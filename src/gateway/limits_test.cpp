// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "gateway/gateway_fixture.h"

// Limits of a key, as a client meets them.
namespace penstock::gateway {
namespace {

constexpr std::string_view kChat =
    R"({"model":"m","messages":[{"role":"user","content":"hello"}],"max_tokens":50,"stream":true})";

EngineScript answer() {
    return {
        .pieces =
            {"data: "
             "{\"id\":\"c\",\"model\":\"upstream-model\",\"choices\":[{\"index\":0,\"delta\":{"
             "\"content\":\"a\"},\"finish_reason\":null}]}\n\n",
             "data: {\"id\":\"c\",\"model\":\"upstream-model\",\"choices\":[],\"usage\":{"
             "\"prompt_tokens\":10,\"completion_tokens\":3,\"total_tokens\":13}}\n\n",
             "data: [DONE]\n\n"}
    };
}

TEST(GatewayLimits, RefusesTheRequestBeyondADaysCountAndSaysWhich) {
    Fixture f;
    f.server.key_limits.emplace().requests_per_day = 2;
    f.server.limits[R"("requests_day")"] = Units::whole(2);
    f.add_engine(answer());
    EXPECT_EQ(f.ask(std::string(kChat)).status, 200);
    EXPECT_EQ(f.ask(std::string(kChat)).status, 200);

    const ClientAnswer refused = f.ask(std::string(kChat));

    EXPECT_EQ(refused.status, 429);
    EXPECT_NE(refused.body.find("key.requests_per_day"), std::string::npos) << refused.body;
    EXPECT_NE(refused.body.find("it begins anew at"), std::string::npos) << refused.body;
    EXPECT_FALSE(refused.headers.get("Retry-After").empty());
    f.wait_for_records(2);
    EXPECT_EQ(f.server.records.begin()->second.drawn->size(), 1U);
}

TEST(GatewayLimits, RefusesTheCallThatABudgetDoesNotCover) {
    Fixture f;
    f.server.key_limits.emplace().budget = Money::micro(10);
    f.server.limits[R"("budget")"] = Units::of(Money::micro(10));
    f.add_engine(answer());

    const ClientAnswer refused = f.ask(std::string(kChat));

    EXPECT_EQ(refused.status, 429);
    EXPECT_NE(refused.body.find("insufficient_quota"), std::string::npos) << refused.body;
    EXPECT_NE(refused.body.find("key.budget"), std::string::npos) << refused.body;
    EXPECT_TRUE(f.engines[0]->requests.empty());
}

TEST(GatewayLimits, TellsWhatIsLeftOfAMinute) {
    Fixture f;
    f.server.key_limits.emplace().requests_per_minute = 1000;
    f.server.limits[R"("requests_minute")"] = Units::whole(1000);
    f.add_engine(answer());

    const ClientAnswer served = f.ask(std::string(kChat));

    EXPECT_EQ(served.status, 200);
    EXPECT_EQ(served.headers.get("x-ratelimit-limit-requests"), "1000");
    EXPECT_EQ(served.headers.get("x-ratelimit-remaining-requests"), "999");
    EXPECT_FALSE(served.headers.get("x-ratelimit-reset-requests").empty());
}

TEST(GatewayLimits, RefusesAModelThatIsNotOnTheList) {
    Fixture f;
    f.server.key_limits.emplace().models = {"other"};
    f.add_engine(answer());

    EXPECT_EQ(f.ask(std::string(kChat)).status, 403);
    EXPECT_TRUE(f.engines[0]->requests.empty());
}

}  // namespace
}  // namespace penstock::gateway
