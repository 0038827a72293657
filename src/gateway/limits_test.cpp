// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "gateway/gateway_fixture.h"
#include "io/task_group.h"

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

io::Task<void> ask_into(Fixture* f, std::optional<ClientAnswer>* served) {
    *served = co_await f->ask_task(std::string(kChat));
}

TEST(GatewayLimits, OneAtATimeMeansUntilTheAnswerHasEnded) {
    Fixture f;
    f.server.key_limits.emplace().concurrency = 1;
    f.server.limits[R"("concurrency")"] = Units::whole(1);
    EngineScript first = answer();
    first.rest = {first.pieces.back()};
    first.pieces.pop_back();
    first.end = EngineScript::End::when_told;
    f.add_engine(first);
    io::TaskGroup group(f.runtime.executor(), "first");
    std::optional<ClientAnswer> served;
    group.spawn(ask_into(&f, &served));
    f.wait_until([&] { return f.engines[0]->waiting() == 1; }, "the first to be answered");

    const ClientAnswer refused = f.ask(std::string(kChat));
    EXPECT_EQ(refused.status, 429);
    EXPECT_TRUE(refused.body.contains("key.concurrency")) << refused.body;
    EXPECT_EQ(f.engines[0]->requests.size(), 1U);

    f.engines[0]->script = answer();
    f.engines[0]->cut();
    f.wait_until([&] { return served.has_value(); }, "the first to end");
    EXPECT_EQ(served->status, 200);
    EXPECT_EQ(f.ask(std::string(kChat)).status, 200);
    f.runtime.block_on(group.close());
}

TEST(GatewayLimits, OneAtATimeIsOneAfterTheOther) {
    Fixture f;
    f.server.key_limits.emplace().concurrency = 1;
    f.server.limits[R"("concurrency")"] = Units::whole(1);
    f.add_engine(answer());
    for (int i = 0; i < 10; ++i) EXPECT_EQ(f.ask(std::string(kChat)).status, 200);
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

TEST(GatewayLimits, ListsOnlyTheModelsThatTheKeyMayUse) {
    Fixture f;
    f.server.key_limits.emplace().models = {"m"};
    f.add_engine(answer());
    f.add_engine(answer(), "other");

    EXPECT_NE(f.ask_path("GET", "/v1/models").body.find(R"("id":"m")"), std::string::npos);
    EXPECT_EQ(f.ask_path("GET", "/v1/models").body.find("other"), std::string::npos);
    EXPECT_EQ(f.ask_path("GET", "/v1/models/other").status, 404);
    EXPECT_EQ(f.ask_path("GET", "/api/tags").body.find("other"), std::string::npos);
}

struct DialectCall {
    std::string_view path;
    std::string_view body;
};
constexpr DialectCall kDialectCalls[] = {
    {"/v1/messages",
     R"({"model":"m","max_tokens":50,"messages":[{"role":"user","content":"hello"}]})"},
    {"/v1/responses", R"({"model":"m","max_output_tokens":50,"input":"hello"})"},
    {"/api/chat", R"({"model":"m","messages":[{"role":"user","content":"hello"}]})"},
    {"/v1/embeddings", R"({"model":"m","input":"hello"})"},
};

TEST(GatewayLimits, BindCallsInEveryDialect) {
    for (const DialectCall& call : kDialectCalls) {
        Fixture f;
        f.server.key_limits.emplace().tokens_per_day = 1;
        f.server.limits[R"("tokens_day")"] = Units::whole(1);
        f.add_engine(whole_answer());

        const ClientAnswer refused = f.ask_at(std::string(call.path), std::string(call.body));

        EXPECT_EQ(refused.status, 429) << call.path << ' ' << refused.body;
        EXPECT_NE(refused.body.find("limit of 1 tokens per day"), std::string::npos)
            << refused.body;
        EXPECT_TRUE(f.engines[0]->requests.empty()) << call.path;
    }
}

TEST(GatewayLimits, KeepCallsInEveryDialectToTheModelsOfTheKey) {
    for (const DialectCall& call : kDialectCalls) {
        Fixture f;
        f.server.key_limits.emplace().models = {"other"};
        f.add_engine(whole_answer());

        EXPECT_EQ(f.ask_at(std::string(call.path), std::string(call.body)).status, 403)
            << call.path;
        EXPECT_TRUE(f.engines[0]->requests.empty()) << call.path;
    }
}

TEST(GatewayLimits, CountTokensOnlyForModelsOfTheKey) {
    const std::string body = R"({"model":"m","messages":[{"role":"user","content":"hello"}]})";
    Fixture f;
    f.server.key_limits.emplace().models = {"other"};
    f.add_engine(whole_answer(), "m", "anthropic");

    EXPECT_EQ(f.ask_at("/v1/messages/count_tokens", body).status, 403);
    EXPECT_TRUE(f.engines[0]->requests.empty());
}

constexpr std::string_view kCounted =
    R"({"model":"m","messages":[{"role":"user","content":"hello"}]})";

TEST(GatewayLimits, CountTokensOnlySoOftenInAMinute) {
    Fixture f;
    f.server.key_limits.emplace().requests_per_minute = 2;
    f.server.limits[R"("requests_minute")"] = Units::whole(2);
    f.add_engine(whole_answer());
    const auto count = [&] { return f.ask_at("/v1/messages/count_tokens", std::string(kCounted)); };

    const ClientAnswer first = count();
    const ClientAnswer second = count();
    const ClientAnswer refused = count();

    EXPECT_EQ(first.status, 200) << first.body;
    EXPECT_EQ(first.headers.get("x-ratelimit-remaining-requests"), "1");
    EXPECT_EQ(second.status, 200) << second.body;
    EXPECT_EQ(refused.status, 429) << refused.body;
    EXPECT_TRUE(refused.body.contains("requests_per_minute")) << refused.body;
    EXPECT_EQ(refused.headers.get("x-ratelimit-remaining-requests"), "0");
    EXPECT_EQ(f.ask(std::string(kChat)).status, 429) << "calls share the limit";
}

TEST(GatewayLimits, CountTokensForAWalletThatIsEmpty) {
    Fixture f;
    f.server.wallet = Money();
    f.server.key_limits.emplace().budget = Money();
    f.server.limits[R"("budget")"] = Units();
    f.add_engine(whole_answer());

    EXPECT_EQ(f.ask_at("/v1/messages/count_tokens", std::string(kCounted)).status, 200);
    EXPECT_EQ(f.ask(std::string(kChat)).status, 429);
}

io::Task<void> count_until_cancelled(Fixture* f) {
    (void)co_await f->ask_task(std::string(kCounted), {}, "/v1/messages/count_tokens");
}

TEST(GatewayLimits, CountTokensOnlySoManyAtATime) {
    Fixture f;
    f.server.key_limits.emplace().concurrency = 1;
    f.server.limits[R"("concurrency")"] = Units::whole(1);
    f.add_engine(EngineScript{.silent = true}, "m", "anthropic");
    io::TaskGroup group(f.runtime.executor(), "first");
    group.spawn(count_until_cancelled(&f));
    f.wait_until([&] { return !f.engines[0]->requests.empty(); }, "the first to be asked");

    EXPECT_EQ(f.ask_at("/v1/messages/count_tokens", std::string(kCounted)).status, 429);
    f.runtime.block_on(group.close());
}

TEST(GatewayLimits, TellsWhatIsLeftOfAMinuteInEveryDialect) {
    Fixture f;
    f.server.key_limits.emplace().requests_per_minute = 1000;
    f.server.limits[R"("requests_minute")"] = Units::whole(1000);
    f.add_engine(whole_answer());

    const ClientAnswer served =
        f.ask_at(std::string(kDialectCalls[0].path), std::string(kDialectCalls[0].body));

    EXPECT_EQ(served.status, 200) << served.body;
    EXPECT_EQ(served.headers.get("x-ratelimit-remaining-requests"), "999");
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
