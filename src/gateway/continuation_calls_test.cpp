// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <list>

#include "dialects/json_tree.h"
#include "gateway/continuation.h"
#include "gateway/continuation_pair.h"

// Streams whose engine breaks off, over real sockets: another one goes on, or the client is told
// why none does. Money is held against the truth in tests/integration/continuation_oracle_test.py.
namespace penstock::gateway {
namespace {

using End = EngineScript::End;

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
    EXPECT_NE(answer.body.find(R"("prompt_tokens":5,"completion_tokens":3)"), answer.body.npos)
        << answer.body;
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
    {
        OpenStream stream(f);
        EXPECT_TRUE(stream.read_until("two ", "error").contains("two "));
    }
    // "hello there, engine" are three tokens by the gateway's measure; there is no overlap in it.
    EXPECT_EQ(f.told(2), "upstream_error 0+1 counted; client_gone 3+1 estimated");
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

// Whether it never answers or says nothing of content: the client waits no longer for the first
// piece of the engine that goes on than for any other piece.
TEST(Continuation, AnEngineThatIsToGoOnMayBeSilentForTheTimeToReadOnly) {
    const std::string role = R"(data: {"choices":[{"index":0,"delta":{"role":"assistant"}}]})";
    for (const EngineScript& silent :
         {EngineScript{.silent = true}, EngineScript{.pieces = {role + "\n\n"}, .end = End::hang}
         }) {
        Pair f(breaks(), silent);
        const ClientAnswer answer = f.ask_at(
            "/v1/chat/completions", chat(),
            {{"x-penstock-stream-failure", "continue"}, {"x-penstock-read-timeout", "1s"}}
        );
        EXPECT_TRUE(answer.cut);
        EXPECT_NE(
            answer.body.find(
                "the engine was silent for 1s before the answer was complete; the engine that was "
                "to go on did not answer"
            ),
            answer.body.npos
        ) << answer.body;
        EXPECT_EQ(f.told(2), "upstream_error 0+1 counted; timeout 0+0 counted");
        f.wait_until(
            [&] { return f.engines[1]->answers_abandoned == 1; }, "the silent engine to be left"
        );
        f.expect_nothing_held();
    }
}

// No attempt follows, so that nothing of the call's time is kept for one.
TEST(Continuation, AnEngineThatIsToGoOnHasAllThatIsLeftOfTheCallsTime) {
    Pair f(breaks(), {.silent = true});
    const ClientAnswer answer = f.ask_at(
        "/v1/chat/completions", chat(),
        {{"x-penstock-stream-failure", "continue"}, {"x-penstock-timeout", "4100ms"}}
    );
    EXPECT_TRUE(answer.cut);
    EXPECT_NE(answer.body.find(R"("code":"deadline_exceeded")"), answer.body.npos) << answer.body;
    EXPECT_EQ(f.told(2), "upstream_error 0+1 counted; timeout 0+0 counted");
}

// Sockets of both sides of every connection are in this process.
void allow_open_files(rlim_t wanted) {
    rlimit files{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &files), 0);
    ASSERT_GE(files.rlim_max, wanted);
    files.rlim_cur = std::max(files.rlim_cur, wanted);
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &files), 0);
}

// An engine that dies with all its streams: one more than may be gone on with is told so, and each
// end of another makes room for one.
TEST(Continuation, NoMoreThanSoManyAtOneTimeAndEachEndMakesRoom) {
    constexpr std::size_t kMax = ContinuationParts::kRunningMax;
    constexpr std::string_view kTooMany =
        "not continued: too many answers are being gone on with at this time";
    ASSERT_NO_FATAL_FAILURE(allow_open_files(4096));
    Pair f(
        {.pieces = {kBroken}, .end = End::when_told},
        {.pieces = {word("two ")}, .end = End::when_told}
    );
    std::list<OpenStream> streams;
    while (streams.size() < kMax + 1) streams.emplace_back(f);
    f.wait_until([&] { return f.engines[0]->waiting() == kMax + 1; }, "all streams");

    f.engines[0]->cut();
    std::size_t refused = 0;
    for (OpenStream& stream : streams) {
        const std::string& got = stream.read_until("two ", kTooMany);
        EXPECT_TRUE(got.contains("one ")) << got;
        refused += got.contains(kTooMany) ? 1 : 0;
    }
    EXPECT_EQ(refused, 1U);
    EXPECT_EQ(f.engines[1]->requests.size(), kMax);

    // A client leaves; the engine that broke so often is not left alone any more.
    streams.erase(std::ranges::find_if(streams, [](const OpenStream& stream) {
        return stream.got().contains("two ");
    }));
    f.wait_until([&] { return f.engines[1]->waiting() + 1 == kMax; }, "a stream to end");
    f.engines[0]->script = breaks();
    f.renew_endpoints();
    OpenStream next(f);
    EXPECT_TRUE(next.read_until("two ", kTooMany).contains("two "));
    EXPECT_TRUE(OpenStream(f).read_until("two ", kTooMany).contains(kTooMany));

    f.engines[1]->cut();
    f.expect_nothing_held();
    f.engines[1]->script = goes_on();
    f.renew_endpoints();
    EXPECT_TRUE(f.ask_on(chat()).body.ends_with(kDone));
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
