// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "gateway/gateway_fixture.h"
#include "routing/class_prices.h"

// Turns of the Responses API, lines of batches, and answers given again: what the gateway asks of
// the server and of engines, and what it charges.
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

// ---- lines of batches ----

struct Lines : Fixture {
    explicit Lines(EngineScript script = whole_answer()) {
        add_engine(std::move(script));
        routes[0].endpoint.batch_percent = 50;
        apply_routes();
    }
    ClaimedLine line(std::int64_t number) {
        return {
            .line = {BatchId(RawId{5, 5}), number, 1},
            .record_id = RequestId(RawId{9, static_cast<std::uint64_t>(number) + 1}),
            .custom_id = "c" + std::to_string(number),
            .url = "/v1/chat/completions",
            .body = std::string(kChat),
            .key =
                {.key_id = KeyId(RawId{3, 3}),
                 .organisation_id = server.organisation_id,
                 .project_id = ProjectId(RawId{2, 2}),
                 .may_use_tokens = true,
                 .cache_for = 1min}
        };
    }
    void wait_for_reports(std::size_t count) {
        wait_until([&] { return server.line_reports.size() >= count; }, "reports of lines");
    }
};

TEST(BatchLines, ALineIsACallUnderItsOwnIdAtTheBatchPricePastTheSpool) {
    Lines f;
    f.server.lines = {f.line(0)};

    f.wait_for_reports(1);

    const LineReport& report = f.server.line_reports[0];
    EXPECT_EQ(report.end, LineEnd::answered);
    EXPECT_EQ(report.status, 200);
    EXPECT_EQ(report.custom_id, "c0");
    ASSERT_TRUE(report.record);
    EXPECT_EQ(report.record->id, f.line(0).record_id);
    EXPECT_EQ(report.record->tariff, "batch");
    EXPECT_EQ(report.record->batch_line, to_string(BatchId(RawId{5, 5})) + "/1");
    EXPECT_EQ(
        *multiply(2, QuantityScale::one, report.record->price_output),
        *multiply(1, QuantityScale::one, f.routes[0].endpoint.price_output)
    );
    EXPECT_TRUE(f.server.records.empty());
}

TEST(BatchLines, AReportIsRepeatedUntilTheServerHasIt) {
    Lines f;
    f.server.takes = false;
    f.server.lines = {f.line(0)};
    f.wait_until([&] { return f.engines[0]->requests.size() == 1; }, "the line");
    // It is named as running, so that nobody else gets it.
    f.wait_until(
        [&] { return !f.server.claims.empty() && f.server.claims.back().running.size() == 1; },
        "the claim to be renewed"
    );

    f.server.takes = true;
    f.wait_for_reports(1);

    EXPECT_EQ(f.engines[0]->requests.size(), 1U);
    EXPECT_EQ(f.server.line_reports.size(), 1U);
}

TEST(BatchLines, AFaultOfTheEngineIsReportedAsATryAndARefusalAsTheAnswer) {
    Lines fault({.status = 500, .content_type = "application/json", .pieces = {"{}"}});
    fault.server.lines = {fault.line(0)};
    fault.wait_for_reports(1);
    EXPECT_EQ(fault.server.line_reports[0].end, LineEnd::failed);
    ASSERT_TRUE(fault.server.line_reports[0].record);
    EXPECT_EQ(charged_tokens(*fault.server.line_reports[0].record), 0);

    Lines refusal({.status = 400, .content_type = "application/json", .pieces = {"{}"}});
    refusal.server.lines = {refusal.line(0)};
    refusal.wait_for_reports(1);
    EXPECT_EQ(refusal.server.line_reports[0].end, LineEnd::answered);
    EXPECT_EQ(refusal.server.line_reports[0].status, 400);
}

TEST(BatchLines, RoomIsAskedForOnlyOfEndpointsThatSellBatches) {
    Fixture f;
    f.add_engine(whole_answer());
    f.add_engine(whole_answer(), "other");
    f.routes[1].endpoint.batch_percent = 50;
    f.apply_routes();

    f.wait_until([&] { return !f.server.claims.empty(); }, "a claim");

    ASSERT_EQ(f.server.claims[0].room.size(), 1U);
    EXPECT_EQ(f.server.claims[0].room[0].model, "other");
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
