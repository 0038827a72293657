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
    ClientAnswer again(std::string_view body = kCertain, std::string word = "on") {
        http::Headers headers;
        headers.set("x-penstock-cache", std::move(word));
        return ask(std::string(body), std::move(headers));
    }
};

TEST(AnswersGivenAgain, AHitAsksNoEngineAndHasARecordOfItsOwn) {
    Cached f;
    const ClientAnswer first = f.again();
    const ClientAnswer second = f.again();

    EXPECT_EQ(first.headers.get("x-penstock-cache"), "miss");
    EXPECT_EQ(second.headers.get("x-penstock-cache"), "hit");
    EXPECT_EQ(second.body, first.body);
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
