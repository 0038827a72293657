// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>

#include "dialects/json_tree.h"
#include "gateway/gateway_fixture.h"

// Streams whose engine breaks off, over real sockets: another one goes on, or the client is told
// why none does. Money is held against the truth in tests/integration/continuation_oracle_test.py.
namespace penstock::gateway {
namespace {

using End = EngineScript::End;

const std::string kBroken =
    "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"one \"}}]}\n\n";

std::string word(std::string_view text) {
    return "data: {\"id\":\"c2\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" +
           std::string(text) + "\"}}]}\n\n";
}
std::string usage(int prompt, int made) {
    return "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":" + std::to_string(prompt) +
           ",\"completion_tokens\":" + std::to_string(made) +
           ",\"total_tokens\":" + std::to_string(prompt + made) + "}}\n\n";
}
const std::string kStop =
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
const std::string kDone = "data: [DONE]\n\n";
const std::string kError = "data: {\"error\":{\"message\":\"out of memory\"}}\n\n";

std::string chat(std::string_view more = "") {
    return R"({"model":"m","messages":[{"role":"user","content":"hello there, engine"}],)"
           R"("max_tokens":50,"stream":true,"stream_options":{"include_usage":true},)"
           R"("provider":{"sort":"price"})" +
           std::string(more) + "}";
}

// An engine that breaks, which is the cheaper one and so the first, and one that goes on.
struct Pair : Fixture {
    Pair(EngineScript first, EngineScript second) {
        add_engine(std::move(first));
        add_engine(std::move(second));
        routes[1].endpoint.price_input = *parse_price("3");
        routes[1].endpoint.price_output = *parse_price("4");
        routes[1].endpoint.continuation = penstock::Continuation::final_message;
        apply_routes();
    }
    ClientAnswer ask_on(const std::string& body, const std::string& path = "/v1/chat/completions") {
        return ask_at(path, body, {{"x-penstock-stream-failure", "continue"}});
    }
    // "upstream_error 0+1 counted; done 5+2 upstream overlap 1", in the order of their ids.
    std::string told(std::size_t count) {
        wait_for_records(count);
        constexpr const char* kEnds[] = {"done",    "client_gone",   "upstream_error",
                                         "timeout", "gateway_crash", "refused"};
        constexpr const char* kBases[] = {"upstream", "counted", "estimated"};
        std::string all;
        for (const auto& [id, call] : server.records) {
            all += (all.empty() ? "" : "; ") +
                   std::string(kEnds[static_cast<std::size_t>(call.end_reason)]) + " " +
                   std::to_string(call.tokens.input_fresh.value_or(0)) + "+" +
                   std::to_string(call.tokens.output_visible.value_or(0)) + " " +
                   kBases[static_cast<std::size_t>(call.basis)];
            if (call.overlap_tokens) all += " overlap " + std::to_string(*call.overlap_tokens);
        }
        return all;
    }
    void expect_nothing_held() {
        wait_until(
            [&] { return metrics().contains("penstock_gateway_holds_open 0\n"); }, "no open hold"
        );
    }
};

EngineScript breaks(std::vector<std::string> pieces = {kBroken}) {
    return {.pieces = std::move(pieces), .end = End::cut};
}
EngineScript goes_on() {
    return {.pieces = {word("two "), word("three"), kStop, usage(6, 2), kDone}};
}

TEST(Continuation, AnotherEngineGoesOnInTheSameStream) {
    Pair f(breaks(), goes_on());

    const ClientAnswer answer = f.ask_on(chat());

    EXPECT_FALSE(answer.cut);
    EXPECT_EQ(answer.headers.get("x-penstock-stream-failure"), "continue");
    EXPECT_EQ(f.told(2), "upstream_error 0+1 counted; done 5+2 upstream overlap 1");
    const CallRecord& first = f.server.records.begin()->second;
    const CallRecord& second = f.server.records.rbegin()->second;
    EXPECT_EQ(first.continued_by, second.id);
    EXPECT_EQ(second.continues, first.id);
    EXPECT_EQ(to_string(first.id), answer.headers.get("x-penstock-call"));
    const std::string ids = R"({"call":")" + to_string(first.id) + "\"";
    EXPECT_NE(answer.body.find(": penstock {\"continued\":" + ids), std::string::npos);
    EXPECT_NE(answer.body.find(": penstock {\"attempts\":[" + ids), std::string::npos);
    EXPECT_NE(
        answer.body.find(R"("usage":{"prompt_tokens":5,"completion_tokens":3)"), answer.body.npos
    ) << answer.body;
    EXPECT_TRUE(answer.body.ends_with(kDone));
    EXPECT_EQ(answer.body.find(R"("error")"), answer.body.npos) << answer.body;
    f.expect_nothing_held();
}

TEST(Continuation, TheEngineIsAskedWithTheTextAndWhatIsLeftOfTheBound) {
    Pair f(breaks({kBroken, word("and ")}), goes_on());
    f.ask_on(chat(R"(,"temperature":0)"));
    ASSERT_EQ(f.engines[1]->requests.size(), 1U);
    EXPECT_EQ(
        *dialects::parse_json(f.engines[1]->requests[0].body),
        *dialects::parse_json(
            R"({"model":"upstream-model","messages":[{"role":"user","content":"hello there, engine"},
            {"role":"assistant","content":"one and "}],"max_tokens":48,"temperature":0,"stream":true,
            "stream_options":{"include_usage":true},"continue_final_message":true,"add_generation_prompt":false})"
        )
    );
    f.wait_for_records(2);
    EXPECT_EQ(
        f.engines[1]->requests[0].headers.get("X-Request-Id"),
        to_string(f.server.records.rbegin()->second.id)
    );
}

TEST(Continuation, AnErrorOfTheFirstEngineIsSparedToTheClient) {
    Pair f({.pieces = {kBroken, kError}}, goes_on());
    const ClientAnswer answer = f.ask_on(chat());
    EXPECT_EQ(answer.body.find("out of memory"), std::string::npos);
    EXPECT_TRUE(answer.body.ends_with(kDone));
    EXPECT_EQ(f.told(2), "upstream_error 0+1 counted; done 5+2 upstream overlap 1");
}

TEST(Continuation, IsNothingThatAnybodyGetsUnasked) {
    Pair f(breaks(), goes_on());
    const ClientAnswer answer = f.ask(chat());
    EXPECT_TRUE(answer.cut);
    EXPECT_FALSE(answer.headers.contains("x-penstock-stream-failure"));
    EXPECT_EQ(answer.body.find("penstock"), std::string::npos);
    EXPECT_EQ(f.told(1), "upstream_error 0+1 counted");
    EXPECT_TRUE(f.engines[1]->requests.empty());
}

void expect_refusal(Pair& f, const std::string& body, const std::string& why) {
    const ClientAnswer answer = f.ask_on(body);
    EXPECT_TRUE(answer.cut);
    EXPECT_NE(answer.body.find("not continued: " + why), std::string::npos) << answer.body;
    EXPECT_TRUE(f.engines[1]->requests.empty());
    f.wait_for_records(1);
    EXPECT_FALSE(f.server.records.begin()->second.continued_by);
    f.expect_nothing_held();
}

TEST(Continuation, IsRefusedByTheNameOfWhatAsksForMoreThanText) {
    Pair f(breaks(), goes_on());
    expect_refusal(
        f, chat(R"(,"response_format":{"type":"json_object"})"),
        "the request asks for more than plain text: response_format"
    );
}

TEST(Continuation, IsRefusedOnceACallOfAToolHasBegun) {
    const std::string call =
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"c\","
        "\"function\":{\"name\":\"f\",\"arguments\":\"{\"}}]}}]}\n\n";
    Pair f(breaks({kBroken, call}), goes_on());
    expect_refusal(f, chat(), "a call of a tool had begun");
}

TEST(Continuation, IsRefusedWhereNoEngineSaysThatItCan) {
    Pair f(breaks(), goes_on());
    f.routes[1].endpoint.continuation.reset();
    f.apply_routes();
    expect_refusal(
        f, chat(), "no other engine of the model that goes on with answers could take it"
    );
}

// What was delivered at the dear output of one and the rest at the dear input of the other is more
// than either alone: no new hold is made for it.
TEST(Continuation, IsRefusedWhereBothAttemptsAreMoreThanTheHold) {
    Pair f(breaks(), goes_on());
    f.routes[0].endpoint.price_output = *parse_price("10");
    f.routes[1].endpoint.price_input = *parse_price("10");
    f.routes[1].endpoint.price_output = *parse_price("1");
    f.apply_routes();
    std::string body = chat();
    body.replace(body.find(R"({"sort":"price"})"), 16, R"({"order":["provider-1"]})");
    expect_refusal(f, body, "no other engine of the model that goes on with answers could take it");
}

TEST(Continuation, AnEngineThatGoesOnAndBreaksEndsTheStreamVisibly) {
    Pair f(breaks(), breaks({word("two ")}));
    const ClientAnswer answer = f.ask_on(chat());
    EXPECT_TRUE(answer.cut);
    EXPECT_EQ(answer.body.find("[DONE]"), std::string::npos);
    EXPECT_NE(answer.body.find("the engine that went on broke off as well"), answer.body.npos);
    EXPECT_EQ(f.told(2), "upstream_error 0+1 counted; upstream_error 0+1 counted");
    f.expect_nothing_held();
}

TEST(Continuation, AnEngineThatRefusesToGoOnIsChargedNothing) {
    Pair f(breaks(), {.status = 400, .content_type = "application/json", .pieces = {"{}"}});
    const ClientAnswer answer = f.ask_on(chat());
    EXPECT_NE(
        answer.body.find("the engine that was to go on answered with status 400"), answer.body.npos
    ) << answer.body;
    EXPECT_EQ(f.told(2), "upstream_error 0+1 counted; upstream_error 0+0 counted");
    f.expect_nothing_held();
}

TEST(Continuation, AClientThatLeavesMeanwhilePaysWhatItGotAndThePrompt) {
    Pair f(breaks(), {.pieces = {word("two ")}, .end = End::hang});
    http::ClientRequest request{.method = "POST", .url = f.front->url() + "/v1/chat/completions"};
    request.headers.add("Authorization", "Bearer " + f.key);
    request.headers.add("x-penstock-stream-failure", "continue");
    request.body = chat();
    {
        Result<http::ResponseStream> answer =
            f.runtime.block_on(f.client.open(std::move(request), io::Deadline::after(10s)));
        ASSERT_TRUE(answer) << to_string(answer.error());
        std::string got;
        while (!got.contains("two")) {
            const Result<std::string_view> piece =
                f.runtime.block_on(answer->read(io::Deadline::after(10s)));
            ASSERT_TRUE(piece && !piece->empty()) << got;
            got += *piece;
        }
    }
    // "hello there, engine" are three tokens by the gateway's measure; there is no overlap in it.
    EXPECT_EQ(f.told(2), "upstream_error 0+1 counted; client_gone 3+1 counted");
    f.expect_nothing_held();
}

TEST(Continuation, SilenceIsAFailureWhenTheTimeToReadIsOver) {
    Pair f({.pieces = {kBroken}, .end = End::hang}, goes_on());
    const ClientAnswer answer = f.ask_at(
        "/v1/chat/completions", chat(),
        {{"x-penstock-stream-failure", "continue"}, {"x-penstock-read-timeout", "1s"}}
    );
    EXPECT_TRUE(answer.body.ends_with(kDone)) << answer.body;
    EXPECT_NE(answer.body.find(R"("reason":"read_timeout")"), answer.body.npos);
    EXPECT_EQ(f.told(2), "timeout 0+1 counted; done 5+2 upstream overlap 1");
    f.wait_until(
        [&] { return f.engines[0]->answers_abandoned == 1; }, "the silent engine to be left"
    );
}

TEST(Continuation, WithoutItSilenceIsToldAsSuch) {
    Pair f({.pieces = {kBroken}, .end = End::hang}, goes_on());
    const ClientAnswer answer = f.ask(chat(), {{"x-penstock-read-timeout", "1s"}});
    EXPECT_TRUE(answer.cut);
    EXPECT_NE(answer.body.find("the engine was silent for 1s"), answer.body.npos) << answer.body;
    EXPECT_NE(answer.body.find(R"("code":"read_timeout")"), answer.body.npos);
    EXPECT_EQ(f.told(1), "timeout 0+1 counted");
}

TEST(Continuation, EveryDialectsClientSeesOneAnswer) {
    const std::string anthropic =
        R"({"model":"m","max_tokens":50,"stream":true,"messages":[{"role":"user","content":"hello there, engine"}],"provider":{"sort":"price"}})";
    const std::string responses =
        R"({"model":"m","max_output_tokens":50,"stream":true,"input":"hello there, engine","provider":{"sort":"price"}})";
    const std::string ollama =
        R"({"model":"m","stream":true,"messages":[{"role":"user","content":"hello there, engine"}],"provider":{"sort":"price"}})";
    struct Client {
        std::string path;
        std::string body;
        std::string end;
    };
    for (const Client& client :
         {Client{"/v1/messages", anthropic, R"("usage":{"input_tokens":5,"output_tokens":3})"},
          Client{"/v1/responses", responses, R"("text":"one two three")"},
          Client{"/api/chat", ollama, R"("prompt_eval_count":5,"eval_count":3)"}}) {
        Pair f(breaks(), goes_on());
        const ClientAnswer answer = f.ask_on(client.body, client.path);
        EXPECT_FALSE(answer.cut) << answer.body;
        EXPECT_NE(answer.body.find(client.end), answer.body.npos) << answer.body;
        EXPECT_NE(answer.body.find(R"("continued":{)"), answer.body.npos) << answer.body;
        EXPECT_NE(answer.body.find(R"("penstock":{"attempts":[)"), answer.body.npos) << answer.body;
        EXPECT_EQ(f.told(2), "upstream_error 0+1 counted; done 5+2 upstream overlap 1");
    }
}

TEST(Continuation, BothAttemptsAreOneRequest) {
    Pair f(breaks(), goes_on());
    f.server.key_limits.emplace().requests_per_day = 2;
    f.server.limits[R"("requests_day")"] = Units::whole(2);
    EXPECT_EQ(f.ask_on(chat()).status, 200);
    f.wait_for_records(2);
    EXPECT_EQ(f.ask_on(chat()).status, 200);
    f.wait_for_records(4);
    EXPECT_EQ(f.ask_on(chat()).status, 429);
}

TEST(Settings, OfTheKeyStandForHeadersThatARequestDoesNotHave) {
    Pair f(breaks(), goes_on());
    f.server.set_key_settings(CallSettings{.stream_failure = StreamFailure::continue_});
    EXPECT_TRUE(f.ask(chat()).body.ends_with(kDone));
    EXPECT_TRUE(f.ask(chat(), {{"x-penstock-stream-failure", "terminate"}}).cut);
}

TEST(Settings, ThatAreFixedRefuseARequestThatSaysOtherwise) {
    Pair f(breaks(), goes_on());
    CallSettings settings{.stream_failure = StreamFailure::terminate, .read_timeout = 90s};
    settings.fixed = {"stream_failure", "read_timeout"};
    f.server.set_key_settings(settings);
    const ClientAnswer refused = f.ask_on(chat());
    EXPECT_EQ(refused.status, 403);
    EXPECT_NE(refused.body.find(R"("param":"x-penstock-stream-failure")"), refused.body.npos);
    EXPECT_NE(refused.body.find(R"("code":"setting_is_fixed")"), refused.body.npos);
    EXPECT_EQ(f.ask(chat(), {{"x-penstock-read-timeout", "90s"}}).status, 200);
    EXPECT_EQ(f.ask_at("/v1/messages", chat(), {{"x-penstock-read-timeout", "91s"}}).status, 403);
}

TEST(Settings, HoldFromTheNextCallOnWhenTheyChange) {
    Pair f(breaks(), goes_on());
    EXPECT_TRUE(f.ask(chat()).cut);
    const int asked = f.server.keys_asked;
    f.server.set_key_settings(CallSettings{.stream_failure = StreamFailure::continue_});
    f.apply_routes();
    EXPECT_TRUE(f.ask(chat()).body.ends_with(kDone));
    EXPECT_EQ(f.server.keys_asked, asked + 1);
    f.server.changed_keys.clear();
    f.apply_routes();  // of the same settings: nothing is asked again
    f.ask(chat());
    EXPECT_EQ(f.server.keys_asked, asked + 1);
}

TEST(Settings, AWrongWordIsRefusedByTheHeadersName) {
    Pair f(breaks(), goes_on());
    EXPECT_EQ(f.ask(chat(), {{"x-penstock-stream-failure", "maybe"}}).status, 400);
    EXPECT_EQ(f.ask(chat(), {{"x-penstock-read-timeout", "1ms"}}).status, 400);
}

}  // namespace
}  // namespace penstock::gateway
