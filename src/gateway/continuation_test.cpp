// SPDX-License-Identifier: Apache-2.0
#include "gateway/continuation.h"

#include <gtest/gtest.h>

#include "gateway/continuation_marks.h"

namespace penstock::gateway {
namespace {

using dialects::Dialect;
using dialects::Json;

dialects::Request request(std::string_view body, Dialect dialect = Dialect::chat) {
    Result<dialects::Request> read =
        dialects::read_request(dialect, *dialects::parse_json(std::string(body)));
    EXPECT_TRUE(read) << to_string(read.error());
    return read.value_or(dialects::Request());
}

std::string chat_with(std::string_view members) {
    return R"({"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true)" +
           std::string(members.empty() ? "" : ",") + std::string(members) + "}";
}

TEST(ObstacleInARequest, IsNamedByItsField) {
    const auto of = [](std::string_view members) {
        return obstacle_in(request(chat_with(members)));
    };
    EXPECT_EQ(of(""), "");
    EXPECT_EQ(of(R"("temperature":0,"seed":7,"stop":["x"],"max_tokens":9)"), "");
    EXPECT_EQ(of(R"("n":2)"), "n");
    EXPECT_EQ(of(R"("logprobs":true)"), "logprobs");
    EXPECT_EQ(of(R"("response_format":{"type":"json_object"})"), "response_format");
    EXPECT_EQ(of(R"("response_format":{"type":"text"})"), "");
    EXPECT_EQ(of(R"("reasoning_effort":"low")"), "reasoning_effort");
    EXPECT_EQ(of(R"("reasoning_effort":"none")"), "");
    EXPECT_EQ(of(R"("modalities":["text","audio"])"), "modalities");
    EXPECT_EQ(of(R"("guided_regex":"a*")"), "guided_regex");
    constexpr std::string_view kTools = R"("tools":[{"type":"function","function":{"name":"f"}}])";
    EXPECT_EQ(of(kTools), "");
    EXPECT_EQ(of(std::string(kTools) + R"(,"tool_choice":"required")"), "tool_choice");
    EXPECT_EQ(
        obstacle_in(request(
            R"({"model":"m","messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"I"}]})"
        )),
        "messages"
    );
    EXPECT_EQ(
        obstacle_in(request(
            R"({"model":"m","max_tokens":2000,"messages":[{"role":"user","content":"hi"}],"thinking":{"type":"enabled","budget_tokens":1024}})",
            Dialect::anthropic
        )),
        "thinking"
    );
}

std::string body(
    const dialects::Request& asked, std::string_view protocol, penstock::Continuation way,
    bool drops = false
) {
    Endpoint endpoint;
    endpoint.upstream_model = "theirs";
    endpoint.protocol = protocol;
    endpoint.continuation = way;
    return body_to_go_on(
               {.request = &asked, .endpoint = &endpoint, .text = "one ", .left = 5, .drops = drops}
    )
        .value_or("nothing");
}

TEST(BodyToGoOn, IsTheRequestWithTheTextAndWhatIsLeft) {
    const dialects::Request chat = request(chat_with(R"("max_tokens":9,"temperature":0.5)"));
    EXPECT_EQ(
        *dialects::parse_json(body(chat, "openai", penstock::Continuation::final_message)),
        *dialects::parse_json(
            R"({"model":"theirs","messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"one "}],
            "temperature":0.5,"max_tokens":5,"stream":true,"stream_options":{"include_usage":true},
            "continue_final_message":true,"add_generation_prompt":false})"
        )
    );
    EXPECT_EQ(
        *dialects::parse_json(body(chat, "openai", penstock::Continuation::prefix))
             ->find("messages"),
        *dialects::parse_json(
            R"([{"role":"user","content":"hi"},{"role":"assistant","content":"one ","prefix":true}])"
        )
    );
    EXPECT_EQ(
        *dialects::parse_json(body(chat, "ollama", penstock::Continuation::prefill)),
        *dialects::parse_json(
            R"({"model":"theirs","messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"one "}],
            "options":{"temperature":0.5,"num_predict":5},"stream":true})"
        )
    );
}

TEST(BodyToGoOn, KeepsTheNameThatTheClientGaveItsBound) {
    const dialects::Request newer = request(chat_with(R"("max_completion_tokens":9)"));
    const std::string made = body(newer, "openai", penstock::Continuation::prefill);
    EXPECT_NE(made.find(R"("max_completion_tokens":5)"), made.npos);
    EXPECT_EQ(made.find("max_tokens"), made.npos);
}

TEST(BodyToGoOn, IsNotMadeWhereTheEngineCannotBeToldAllOfIt) {
    const dialects::Request seeded = request(chat_with(R"("seed":7)"));
    EXPECT_EQ(body(seeded, "anthropic", penstock::Continuation::prefill), "nothing");
    EXPECT_NE(body(seeded, "anthropic", penstock::Continuation::prefill, true), "nothing");
}

std::string marked(Dialect client, std::string out) {
    mark_usage(out, client, Json::Object{{"attempts", 2}});
    return out;
}

TEST(Marks, StandBetweenEventsAndBesideTheUsage) {
    std::string out = "data: {\"a\":1}\n\n";
    mark_continued(out, Dialect::chat, Json::Object{{"continued", 1}});
    EXPECT_EQ(out, ": penstock {\"continued\":1}\n\ndata: {\"a\":1}\n\n");
    std::string line = "{\"a\":1}\n{\"b\":2}\n";
    mark_continued(line, Dialect::ollama, Json::Object{{"continued", 1}});
    EXPECT_EQ(line, "{\"penstock\":{\"continued\":1},\"a\":1}\n{\"b\":2}\n");
    EXPECT_EQ(
        marked(Dialect::chat, "data: {\"usage\":{\"x\":1}}\n\ndata: [DONE]\n\n"),
        ": penstock {\"attempts\":2}\n\n"
        "data: {\"penstock\":{\"attempts\":2},\"usage\":{\"x\":1}}\n\ndata: [DONE]\n\n"
    );
    EXPECT_EQ(
        marked(Dialect::chat, "data: [DONE]\n\n"), ": penstock {\"attempts\":2}\n\ndata: [DONE]\n\n"
    );
    EXPECT_EQ(
        marked(
            Dialect::anthropic,
            "event: message_delta\ndata: {\"a\":1}\n\n"
            "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
        ),
        ": penstock {\"attempts\":2}\n\n"
        "event: message_delta\ndata: {\"penstock\":{\"attempts\":2},\"a\":1}\n\n"
        "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
    );
    EXPECT_EQ(
        marked(
            Dialect::responses,
            "event: response.completed\ndata: "
            "{\"type\":\"response.completed\",\"response\":{\"id\":\"r\"}}\n\n"
        ),
        ": penstock {\"attempts\":2}\n\n"
        "event: response.completed\ndata: {\"type\":\"response.completed\","
        "\"response\":{\"penstock\":{\"attempts\":2},\"id\":\"r\"}}\n\n"
    );
}

TEST(FailureOfAStream, SaysWhyNobodyWentOn) {
    EXPECT_EQ(
        failure_of(EndReason::upstream_error, 30s, "not continued: a call of a tool had begun")
            .message,
        "the engine broke off before the answer was complete; not continued: a call of a tool had "
        "begun"
    );
    const dialects::StreamFailure silent = failure_of(EndReason::timeout, 30s, "");
    EXPECT_EQ(silent.code, "read_timeout");
    EXPECT_EQ(silent.message, "the engine was silent for 30s before the answer was complete");
    EXPECT_EQ(failure_of(EndReason::timeout, std::nullopt, "").code, "deadline_exceeded");
}

}  // namespace
}  // namespace penstock::gateway
