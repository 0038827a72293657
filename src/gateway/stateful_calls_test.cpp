// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "gateway/gateway_fixture.h"
#include "routing/class_prices.h"

// Turns of the Responses API and answers given again: what the gateway asks of the server and of
// engines, and what it charges.
namespace penstock::gateway {
namespace {

constexpr std::string_view kTurn = R"({"model":"m","input":"second","max_output_tokens":50,)";
constexpr std::string_view kCertain =
    R"({"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":50,"temperature":0})";

std::string turn(std::string_view more) { return std::string(kTurn) + std::string(more) + "}"; }

std::int64_t charged_tokens(const CallRecord& record) {
    return routing::total_tokens(record.tokens);
}

// ---- turns ----

TEST(Turns, AnEngineGetsWhatWasSaidBeforeInFrontOfTheInput) {
    Fixture f;
    f.add_engine(whole_answer());
    f.server.said = R"([{"type":"message","role":"user","content":"first"}])";

    const ClientAnswer answer =
        f.ask_at("/v1/responses", turn(R"("store":true,"previous_response_id":"resp_1")"));

    EXPECT_EQ(answer.status, 200) << answer.body;
    const std::string& asked = f.engines[0]->requests.at(0).body;
    EXPECT_LT(asked.find("first"), asked.find("second")) << asked;
    ASSERT_EQ(f.server.kept.size(), 1U);
    EXPECT_EQ(f.server.kept[0].turn.previous_response_id, "resp_1");
    EXPECT_EQ(f.server.kept[0].input.text.find("first"), std::string::npos);
    EXPECT_NE(answer.body.find(R"("store":true)"), std::string::npos) << answer.body;
    EXPECT_NE(answer.body.find(f.server.kept[0].id), std::string::npos);
}

TEST(Turns, AnAnswerThatCannotBeKeptIsNotGivenAndNotCharged) {
    Fixture f;
    f.add_engine(whole_answer());
    f.server.takes = false;

    const ClientAnswer answer = f.ask_at("/v1/responses", turn(R"("store":true)"));

    EXPECT_EQ(answer.status, 503);
    EXPECT_NE(answer.body.find("server_unavailable"), std::string::npos) << answer.body;
    f.wait_for_records(1);
    EXPECT_EQ(charged_tokens(f.server.records.begin()->second), 0);
}

EngineScript streamed_answer() {
    return {
        .pieces =
            {R"(data: {"choices":[{"index":0,"delta":{"content":"Hi"}}]})"
             "\n\n",
             R"(data: {"choices":[{"index":0,"delta":{"content":" you"}}]})"
             "\n\n",
             R"(data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})"
             "\n\n",
             "data: [DONE]\n\n"}
    };
}

constexpr std::size_t kAsked = 7;  // more failures than a breaker forgives

TEST(Turns, AnEngineIsNotToBlameForWhatCannotBeKept) {
    Fixture f;
    f.add_engine(whole_answer());
    f.server.takes = false;

    for (std::size_t i = 0; i < kAsked; ++i)
        EXPECT_EQ(f.ask_at("/v1/responses", turn(R"("store":true)")).status, 503);

    EXPECT_EQ(f.engines[0]->requests.size(), kAsked) << "its breaker stays closed";
    EXPECT_EQ(f.ask(std::string(kChat)).status, 200) << "another tenant's call";
    f.wait_for_records(kAsked + 1);
    EXPECT_EQ(f.server.records.begin()->second.end_reason, EndReason::refused);
}

TEST(Turns, NorIsItForAStreamThatCannotBeKept) {
    Fixture f;
    f.add_engine(streamed_answer());
    f.server.takes = false;

    ClientAnswer last;
    for (std::size_t i = 0; i < kAsked; ++i)
        last = f.ask_at("/v1/responses", turn(R"("store":true,"stream":true)"));

    EXPECT_EQ(f.engines[0]->requests.size(), kAsked) << "its breaker stays closed";
    EXPECT_TRUE(last.cut);
    EXPECT_NE(last.body.find("the platform's server, which does not"), std::string::npos);
    EXPECT_NE(last.body.find("server_unavailable"), std::string::npos) << last.body;
    EXPECT_EQ(last.body.find("response.completed"), std::string::npos) << last.body;
    f.wait_for_records(kAsked);
    const CallRecord& record = f.server.records.begin()->second;
    EXPECT_EQ(record.end_reason, EndReason::refused);
    EXPECT_EQ(record.tokens.output_visible, 2) << "what was delivered";
    EXPECT_EQ(record.tokens.input_fresh, 0);
}

TEST(Turns, WhatCannotFitIntoAConversationIsRefusedBeforeAnEngineIsAsked) {
    Fixture f;
    f.add_engine(whole_answer());
    const auto said = [](std::int64_t bytes) {
        return R"([{"type":"message","role":"user","content":")" +
               std::string(static_cast<std::size_t>(bytes), 'x') + R"("}])";
    };
    f.server.said = said(kHistoryBytesMax - 100);

    const ClientAnswer full = f.ask_at("/v1/responses", turn(R"("conversation":"conv_1")"));
    const ClientAnswer alone =
        f.ask_at("/v1/responses", turn(R"("previous_response_id":"resp_1")"));
    f.server.said = said(kHistoryBytesMax - 1000);
    const ClientAnswer fits = f.ask_at("/v1/responses", turn(R"("conversation":"conv_1")"));

    EXPECT_EQ(full.status, 400);
    EXPECT_NE(full.body.find(R"("param":"conversation")"), std::string::npos) << full.body;
    EXPECT_NE(full.body.find("4 MiB"), std::string::npos) << full.body;
    EXPECT_EQ(alone.status, 200) << "nothing is added to it: " << alone.body;
    EXPECT_EQ(fits.status, 200) << fits.body;
    EXPECT_EQ(f.engines[0]->requests.size(), 2U);
}

TEST(Turns, AnAnswerIsKeptUnderTheSameIdAgainWhereTheServersWordIsLost) {
    Fixture f;
    f.add_engine(whole_answer());
    f.server.answers_lost = 2;

    const ClientAnswer answer = f.ask_at("/v1/responses", turn(R"("conversation":"conv_1")"));

    EXPECT_EQ(answer.status, 200) << answer.body;
    ASSERT_EQ(f.server.kept.size(), 3U);
    EXPECT_EQ(f.server.kept[0].id, f.server.kept[2].id);
    EXPECT_EQ(f.engines[0]->requests.size(), 1U);
}

TEST(Turns, WhileTheServerIsAwayNoEngineIsAskedForOne) {
    Fixture f;
    f.add_engine(whole_answer());
    EXPECT_EQ(f.ask(std::string(kChat)).status, 200);
    f.server.away = true;

    EXPECT_EQ(f.ask_at("/v1/responses", turn(R"("store":true)")).status, 503);
    EXPECT_EQ(f.ask_at("/v1/responses", turn(R"("store":false)")).status, 200);

    EXPECT_EQ(f.engines[0]->requests.size(), 2U);
    f.server.away = false;
}

// ---- answers given again ----

struct Cached : Fixture {
    Cached() {
        add_engine(whole_answer());
        routes[0].endpoint.cached_percent = 10;
        apply_routes();
    }
    ClientAnswer again(std::string_view body = kCertain, const std::string& word = "on") {
        http::Headers headers;
        headers.set("x-penstock-cache", word);
        return ask(std::string(body), std::move(headers));
    }
};

TEST(AnswersGivenAgain, AHitAsksNoEngineAndHasARecordOfItsOwn) {
    Cached f;
    const ClientAnswer first = f.again();
    const ClientAnswer second = f.again();

    EXPECT_EQ(first.headers.get("x-penstock-cache"), "miss");
    EXPECT_EQ(second.headers.get("x-penstock-cache"), "hit");
    // The same answer, at its own price.
    std::string cheaper = first.body;
    const std::string listed = R"("cost":0.000016,)";
    ASSERT_TRUE(cheaper.contains(listed)) << cheaper;
    cheaper.replace(cheaper.find(listed), listed.size(), R"("cost":0.0000016,)");
    EXPECT_EQ(second.body, cheaper);
    EXPECT_EQ(f.engines[0]->requests.size(), 1U);
    f.wait_for_records(2);
    const CallRecord& hit = f.server.records.rbegin()->second;
    EXPECT_EQ(hit.basis, UsageBasis::cached);
    EXPECT_EQ(hit.tariff, "cached");
    EXPECT_EQ(hit.tokens, f.server.records.begin()->second.tokens);
}

TEST(AnswersGivenAgain, AnEngineThatIsGoneSellsNothingAnyMore) {
    Cached f;
    EXPECT_EQ(f.again().headers.get("x-penstock-cache"), "miss");
    f.renew_endpoints();
    EXPECT_EQ(f.again().headers.get("x-penstock-cache"), "miss");
}

struct Said {
    const char* path;
    const char* body;  // but for its end
};
const std::vector<Said> kAlike{
    {"/v1/chat/completions", R"({"model":"m","messages":[{"role":"user","content":"hi"}])"},
    {"/v1/messages", R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}])"},
    {"/v1/responses", R"({"model":"m","input":"hi")"},
    {"/api/chat", R"({"model":"m","stream":false,"messages":[{"role":"user","content":"hi"}])"},
};
const http::Headers kAny{{"x-penstock-cache", "any"}};

TEST(AnswersGivenAgain, WhatIsSaidOfSuppliersIsAPartOfTheRequestInEveryDialect) {
    for (const Said& said : kAlike) {
        SCOPED_TRACE(said.path);
        Cached f;
        const std::string body(said.body);
        const auto word = [&](const std::string& more) {
            const ClientAnswer answer = f.ask_at(said.path, body + more, kAny);
            return std::to_string(answer.status) + " " +
                   std::string(answer.headers.get("x-penstock-cache"));
        };
        EXPECT_EQ(word("}"), "200 miss");
        EXPECT_EQ(word("}"), "200 hit");
        EXPECT_EQ(word(R"(,"provider":{"ignore":["provider-1"]}})"), "400 ");
        EXPECT_EQ(word(R"(,"provider":{"quantizations":["unknown"]}})"), "200 miss");
        EXPECT_EQ(word(R"(,"provider":{"quantizations":["unknown"]}})"), "200 hit");
        EXPECT_EQ(word(R"(,"session_id":"s"})"), "200 miss");
        EXPECT_EQ(f.engines[0]->requests.size(), 3U);
    }
}

TEST(AnswersGivenAgain, ASupplierThatHasChangedSinceSellsOnlyWhatTheRequestAccepts) {
    for (const Said& said : kAlike) {
        SCOPED_TRACE(said.path);
        Cached f;
        f.routes[0].endpoint.data_policy = DataPolicy::zero_retention;
        f.apply_routes();
        const std::string body = std::string(said.body) + R"(,"provider":{"zdr":true}})";
        EXPECT_EQ(f.ask_at(said.path, body, kAny).headers.get("x-penstock-cache"), "miss");
        EXPECT_EQ(f.ask_at(said.path, body, kAny).headers.get("x-penstock-cache"), "hit");

        f.routes[0].endpoint.data_policy = DataPolicy::collects;
        f.apply_routes();

        EXPECT_EQ(f.ask_at(said.path, body, kAny).status, 400);
    }
}

TEST(AnswersGivenAgain, AnAnswerThatIsKeptByItsIdPassesByIt) {
    Cached f;
    for (int i = 0; i < 2; ++i) {
        const ClientAnswer answer = f.ask_at("/v1/responses", turn(R"("store":true)"), kAny);
        EXPECT_EQ(answer.status, 200) << answer.body;
        EXPECT_EQ(answer.headers.get("x-penstock-cache"), "bypass");
    }
    EXPECT_EQ(f.engines[0]->requests.size(), 2U);
}

TEST(AnswersGivenAgain, AnIdempotencyKeyAndASampledRequestPassByIt) {
    Cached f;
    EXPECT_EQ(f.again(kChat).headers.get("x-penstock-cache"), "bypass");
    http::Headers headers;
    headers.set("x-penstock-cache", "on");
    headers.set("Idempotency-Key", "k");
    EXPECT_EQ(
        f.ask(std::string(kCertain), std::move(headers)).headers.get("x-penstock-cache"), "bypass"
    );
}

}  // namespace
}  // namespace penstock::gateway
