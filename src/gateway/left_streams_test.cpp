// SPDX-License-Identifier: Apache-2.0
#include "gateway/left_streams.h"

#include <gtest/gtest.h>

#include "gateway/gateway_fixture.h"
#include "routing/usage_habit.h"

// Streams whose clients leave, by what the engine's registration says of such streams.
namespace penstock::gateway {
namespace {

constexpr std::string_view kStreamed =
    R"({"model":"m","messages":[{"role":"user","content":"Say hello in five words, please."}],"max_tokens":64,"stream":true})";
constexpr std::int64_t kPromptSeen = 32 / 6;  // bytes of its text, guessed

std::string event(std::string_view data) { return "data: " + std::string(data) + "\n\n"; }
std::string piece(std::string_view text) {
    return event(R"({"choices":[{"index":0,"delta":{"content":")" + std::string(text) + R"("}}]})");
}
std::string usage(int prompt, int completion) {
    return event(R"({"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})") +
           event(
               R"({"choices":[],"usage":{"prompt_tokens":)" + std::to_string(prompt) +
               R"(,"completion_tokens":)" + std::to_string(completion) + "}}"
           ) +
           event("[DONE]");
}

// Two pieces; what comes after them waits until the test says so.
EngineScript two_pieces_and(std::vector<std::string> rest) {
    return {
        .pieces = {piece("Hel"), piece("lo")},
        .end = EngineScript::End::when_told,
        .rest = std::move(rest)
    };
}

std::string anthropic(std::string_view name, std::string_view data) {
    return "event: " + std::string(name) + "\ndata: " + std::string(data) + "\n\n";
}

struct Scene : Fixture {
    Scene(DisconnectPolicy policy, EngineScript script, std::string protocol = "openai") {
        add_engine(std::move(script), "m", std::move(protocol));
        routes[0].endpoint.on_disconnect = policy;
        apply_routes();
    }
    bool reads(int streams) const {
        return metrics().contains(
            "penstock_gateway_left_streams_open " + std::to_string(streams) + "\n"
        );
    }
    // The client has two pieces and goes; the engine says the rest, or breaks off.
    const CallRecord& leave_and_go_on() {
        leave_after(std::string(kStreamed), 2);
        wait_until([&] { return reads(1); }, "the stream is read on");
        engines[0]->cut();
        wait_for_records(1);
        return server.records.begin()->second;
    }
};

TEST(LeftStreams, OneThatIsBilledToItsEndIsReadToItsEnd) {
    Scene f(DisconnectPolicy::drain, two_pieces_and({piece(","), piece(" world"), usage(21, 4)}));
    const CallRecord& call = f.leave_and_go_on();
    EXPECT_EQ(call.end_reason, EndReason::client_gone);
    EXPECT_EQ(call.basis, UsageBasis::upstream);
    EXPECT_EQ(call.on_disconnect, DisconnectPolicy::drain);
    EXPECT_EQ(call.tokens.input_fresh, 21);
    EXPECT_EQ(call.tokens.output_visible, 4);
    EXPECT_EQ(f.engines[0]->answers_abandoned, 0);
    EXPECT_TRUE(f.reads(0));
    EXPECT_TRUE(
        f.metrics().contains(R"(penstock_gateway_left_streams_total{outcome="read_to_end"} 1)")
    );
}

TEST(LeftStreams, OneOfAnotherApiIsReadToItsEndAsWell) {
    EngineScript script{
        .pieces =
            {anthropic(
                 "message_start",
                 R"({"type":"message_start","message":{"id":"m","type":"message","role":"assistant","model":"m","content":[],"usage":{"input_tokens":21,"output_tokens":1}}})"
             ),
             anthropic(
                 "content_block_start",
                 R"({"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}})"
             ),
             anthropic(
                 "content_block_delta",
                 R"({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hel"}})"
             ),
             anthropic(
                 "content_block_delta",
                 R"({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"lo"}})"
             )},
        .end = EngineScript::End::when_told,
        .rest =
            {anthropic(
                 "content_block_delta",
                 R"({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"!"}})"
             ),
             anthropic("content_block_stop", R"({"type":"content_block_stop","index":0})"),
             anthropic(
                 "message_delta",
                 R"({"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":9}})"
             ),
             anthropic("message_stop", R"({"type":"message_stop"})")}
    };
    Scene f(DisconnectPolicy::drain, std::move(script), "anthropic");
    const CallRecord& call = f.leave_and_go_on();
    EXPECT_EQ(call.end_reason, EndReason::client_gone);
    EXPECT_EQ(call.basis, UsageBasis::upstream);
    EXPECT_EQ(call.tokens.input_fresh, 21);
    EXPECT_EQ(call.tokens.output_visible, 9);
}

TEST(LeftStreams, OneThatBreaksOffBeforeItsEndIsChargedAsItWasDelivered) {
    Scene f(DisconnectPolicy::drain, two_pieces_and({}));
    const CallRecord& call = f.leave_and_go_on();
    EXPECT_EQ(call.basis, UsageBasis::estimated);
    EXPECT_EQ(call.tokens.output_visible, 2);
    EXPECT_TRUE(f.metrics().contains(R"(penstock_gateway_left_streams_total{outcome="cut"} 1)"));
}

TEST(LeftStreams, OneIsNotReadBeyondTheBytesThatItMayHave) {
    // Each piece is small; all of them together are more than a left stream may bring.
    std::vector<std::string> rest(5, std::string());
    for (std::string& each : rest)
        for (std::size_t bytes = 0; bytes < LeftStreams::kBytesMax / 4;) {
            each += piece("0123456789012345678901234567890123456789");
            bytes = each.size();
        }
    rest.push_back(usage(21, 40));
    Scene f(DisconnectPolicy::drain, two_pieces_and(std::move(rest)));
    const CallRecord& call = f.leave_and_go_on();
    EXPECT_EQ(call.basis, UsageBasis::estimated);
    EXPECT_EQ(call.tokens.output_visible, 2);
    EXPECT_TRUE(f.reads(0));
}

TEST(LeftStreams, AnEngineThatDoesNotBillThemIsPaidNothing) {
    Scene f(DisconnectPolicy::no_bill, two_pieces_and({}));
    f.leave_after(std::string(kStreamed), 2);
    f.wait_for_records(1);
    const CallRecord& call = f.server.records.begin()->second;
    EXPECT_EQ(call.end_reason, EndReason::client_gone);
    EXPECT_EQ(call.on_disconnect, DisconnectPolicy::no_bill);
    EXPECT_EQ(call.tokens.input_fresh, 0);
    EXPECT_EQ(call.tokens.output_visible, 0);
    f.wait_until([&] { return f.engines[0]->answers_abandoned == 1; }, "the engine is left");
}

TEST(LeftStreams, AnEstimateFollowsWhatTheEngineToldOfEarlierStreams) {
    Scene f(DisconnectPolicy::cancel_estimate, {.pieces = {piece("a"), piece("b"), usage(15, 6)}});
    for (std::int64_t i = 0; i < routing::UsageHabit::kCallsMin; ++i)
        ASSERT_EQ(f.ask(std::string(kStreamed)).status, 200);
    f.wait_for_records(routing::UsageHabit::kCallsMin);
    f.engines[0]->script = two_pieces_and({});
    f.leave_after(std::string(kStreamed), 2);
    f.wait_for_records(routing::UsageHabit::kCallsMin + 1);
    int left = 0;
    for (const auto& [id, call] : f.server.records) {
        if (call.end_reason != EndReason::client_gone) continue;
        ++left;
        EXPECT_EQ(call.basis, UsageBasis::estimated);
        EXPECT_EQ(call.on_disconnect, DisconnectPolicy::cancel_estimate);
        // It tells three times as many tokens of a prompt, and of an answer, as are seen.
        EXPECT_EQ(call.tokens.input_fresh, 15);
        EXPECT_EQ(call.tokens.output_visible, 6);
    }
    EXPECT_EQ(left, 1);
}

TEST(LeftStreams, WithoutAPolicyWhatWasDeliveredIsCharged) {
    Fixture f;
    f.add_engine(two_pieces_and({}));
    f.leave_after(std::string(kStreamed), 2);
    f.wait_for_records(1);
    const CallRecord& call = f.server.records.begin()->second;
    EXPECT_EQ(call.on_disconnect, std::nullopt);
    EXPECT_EQ(call.tokens.input_fresh, kPromptSeen);
    EXPECT_EQ(call.tokens.output_visible, 2);
}

// ---- before anything was delivered

void leave_silent_engine(Fixture& f, http::Headers headers) {
    f.add_engine({.silent = true});
    http::ClientRequest request{.method = "POST", .url = f.front->url() + "/v1/chat/completions"};
    request.headers = std::move(headers);
    request.headers.add("Authorization", "Bearer " + f.key);
    request.body = std::string(kStreamed);
    const Result<http::ResponseStream> answer =
        f.runtime.block_on(f.client.open(std::move(request), io::Deadline::after(300ms)));
    EXPECT_FALSE(answer);  // it was tired of waiting
    f.wait_for_records(1);
}

TEST(LeftStreams, WhoLeavesBeforeAnythingCamePaysNothing) {
    Fixture f;
    leave_silent_engine(f, {});
    const CallRecord& call = f.server.records.begin()->second;
    EXPECT_EQ(call.end_reason, EndReason::client_gone);
    EXPECT_EQ(call.tokens.input_fresh, 0);
}

TEST(LeftStreams, WhoSaysSoPaysThePrompt) {
    Fixture f;
    http::Headers headers;
    headers.add("x-penstock-undelivered", "prompt");
    leave_silent_engine(f, std::move(headers));
    const CallRecord& call = f.server.records.begin()->second;
    EXPECT_EQ(call.end_reason, EndReason::client_gone);
    EXPECT_EQ(call.tokens.input_fresh, kPromptSeen);
    EXPECT_EQ(call.tokens.output_visible, 0);
}

TEST(LeftStreams, AnUnknownRuleIsRefusedByItsName) {
    Fixture f;
    f.add_engine(whole_answer());
    http::Headers headers;
    headers.add("x-penstock-undelivered", "half");
    const ClientAnswer answer = f.ask(std::string(kChat), std::move(headers));
    EXPECT_EQ(answer.status, 400);
    EXPECT_TRUE(answer.body.contains("x-penstock-undelivered")) << answer.body;
    EXPECT_TRUE(answer.body.contains("'free' or 'prompt'")) << answer.body;
}

}  // namespace
}  // namespace penstock::gateway
