// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "gateway/gateway_fixture.h"
#include "routing/class_prices.h"

// What an engine's report becomes in the record: classes, and its own words where they contradict
// themselves or the bound.
namespace penstock::gateway {
namespace {

const std::string kMessages =
    R"({"model":"m","max_tokens":50,"messages":[{"role":"user","content":"hello there"}])";

std::string settled(Fixture& f) {
    f.wait_for_records(1);
    const CallRecord& call = f.server.records.rbegin()->second;
    std::string text;
    for (const routing::TokenClassFacts& facts : routing::kTokenClasses)
        if (const auto& count = call.tokens.*facts.count)
            text.append(facts.name).append(" ").append(std::to_string(*count)).append(", ");
    return text + call.raw_usage.value_or("-");
}

EngineScript told(const std::string& usage) {
    return {
        .content_type = "application/json",
        .pieces =
            {R"({"id":"c","object":"chat.completion","model":"m","choices":[{"index":0,)"
             R"("message":{"role":"assistant","content":"Hi!"},"finish_reason":"stop"}],"usage":)" +
             usage + "}"}
    };
}

EngineScript streamed(const std::string& usage) {
    return {
        .pieces =
            {R"(data: {"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]})"
             "\n\n",
             R"(data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})"
             "\n\n",
             R"(data: {"choices":[],"usage":)" + usage + "}\n\n", "data: [DONE]\n\n"}
    };
}

constexpr const char* kMedia =
    R"({"prompt_tokens":100,"completion_tokens":50,"total_tokens":150,"prompt_tokens_details":)"
    R"({"cached_tokens":10,"cache_write_tokens":5,"image_tokens":30,"audio_tokens":25},)"
    R"("completion_tokens_details":{"reasoning_tokens":7,"audio_tokens":20}})";
constexpr const char* kMediaClasses =
    "input_fresh 30, cache_read 10, cache_write_5m 5, input_image 30, input_audio 25, "
    "output_visible 23, output_reasoning 7, output_audio 20, -";
// Sound that was read from a cache stands in both parts.
constexpr const char* kOverlap =
    R"({ "prompt_tokens":10, "completion_tokens":1,"prompt_tokens_details":{"cached_tokens":8,)"
    R"("audio_tokens":6}})";
constexpr const char* kOverlapClasses =
    "input_fresh 0, cache_read 8, input_audio 2, output_visible 1, ";
// As it is printed where it was read as a tree.
constexpr const char* kOverlapPrinted =
    R"({"prompt_tokens":10,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":8,)"
    R"("audio_tokens":6}})";

TEST(UsageCalls, ImagesSoundAndCacheWritesAreClassesOfTheirOwn) {
    for (const char* const path : {"/v1/chat/completions", "/v1/messages", "/v1/responses"}) {
        Fixture f;
        f.add_engine(told(kMedia));
        const std::string body =
            path == std::string_view("/v1/responses")
                ? R"({"model":"m","max_output_tokens":50,"input":"hello there"})"
                : kMessages + "}";
        EXPECT_EQ(f.ask_at(path, body).status, 200) << path;
        EXPECT_EQ(settled(f), kMediaClasses) << path;
    }
    Fixture f;
    f.add_engine(streamed(kMedia));
    EXPECT_EQ(f.ask(kMessages + R"(,"stream":true})").status, 200);
    EXPECT_EQ(settled(f), kMediaClasses);
}

TEST(UsageCalls, TheEnginesWordsStandInTheRecordWhereTheyContradictThemselves) {
    {
        Fixture f;
        f.add_engine(told(kOverlap));
        EXPECT_EQ(f.ask(kMessages + "}").status, 200);
        EXPECT_EQ(settled(f), std::string(kOverlapClasses) + kOverlap);
    }
    {
        Fixture f;
        f.add_engine(streamed(kOverlap));
        EXPECT_EQ(f.ask(kMessages + R"(,"stream":true})").status, 200);
        EXPECT_EQ(settled(f), std::string(kOverlapClasses) + kOverlap);
    }
    {
        Fixture f;
        f.add_engine(streamed(kOverlap));
        EXPECT_EQ(f.ask_at("/v1/messages", kMessages + R"(,"stream":true})").status, 200);
        EXPECT_EQ(settled(f), std::string(kOverlapClasses) + kOverlapPrinted);
    }
}

std::string event(const std::string& name, const std::string& data) {
    return "event: " + name + "\ndata: " + data + "\n\n";
}

TEST(UsageCalls, WordsOfAStreamAreThoseOfAllItsReports) {
    Fixture f;
    const std::string start =
        R"({"type":"message_start","message":{"id":"msg_1","type":"message",)"
        R"("role":"assistant","model":"m","content":[],"stop_reason":null,"usage":)"
        R"({"input_tokens":8,"cache_read_input_tokens":-3,"output_tokens":1}}})";
    const std::string block =
        R"({"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}})";
    const std::string delta =
        R"({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}})";
    const std::string end =
        R"({"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":4}})";
    f.add_engine(
        {.pieces =
             {event("message_start", start), event("content_block_start", block),
              event("content_block_delta", delta), event("message_delta", end),
              event("message_stop", R"({"type":"message_stop"})")}},
        "m", "anthropic"
    );
    EXPECT_EQ(f.ask_at("/v1/messages", kMessages + R"(,"stream":true})").status, 200);
    EXPECT_EQ(
        settled(f), R"(input_fresh 8, output_visible 4, )"
                    R"({"input_tokens":8,"cache_read_input_tokens":-3,"output_tokens":4})"
    );
}

TEST(UsageCalls, LongWordsAreClipped) {
    Fixture f;
    const std::string long_one = R"({"prompt_tokens":-1,"completion_tokens":1,"note":")" +
                                 std::string(kUsageTextMax, 'x') + "\"}";
    f.add_engine(told(long_one));
    EXPECT_EQ(f.ask(kMessages + "}").status, 200);
    f.wait_for_records(1);
    EXPECT_EQ(f.server.records.rbegin()->second.raw_usage, long_one.substr(0, kUsageTextMax));
}

// ---- whole answers without a tokenizer, whose engine says little of what it used ----

struct Unsaid {
    std::string message;
    std::string usage;  // with the comma before it
    std::string settled;
};

std::string arguments_of(std::size_t bytes) {
    return R"({\"a\":\")" + std::string(bytes - 8, 'x') + R"(\"})";
}

void expect_one_price(const Unsaid& answer) {
    for (const char* const path : {"/v1/chat/completions", "/v1/messages", "/v1/responses"}) {
        SCOPED_TRACE(path + (" " + answer.message.substr(0, 60)));
        Fixture f;
        f.add_engine(
            {.content_type = "application/json",
             .pieces =
                 {R"({"id":"c","object":"chat.completion","model":"m","choices":[{"index":0,)"
                  R"("message":)" +
                  answer.message + R"(,"finish_reason":"stop"}])" + answer.usage + "}"}}
        );
        const std::string body =
            path == std::string_view("/v1/responses")
                ? R"({"model":"m","max_output_tokens":1000,"input":"hello there"})"
                : R"({"model":"m","max_tokens":1000,)"
                  R"("messages":[{"role":"user","content":"hello there"}]})";
        const ClientAnswer told = f.ask_at(path, body);
        EXPECT_EQ(told.status, 200) << told.body;
        EXPECT_EQ(settled(f), answer.settled);
        EXPECT_EQ(f.server.records.begin()->second.basis, UsageBasis::estimated);
    }
}

TEST(UsageCalls, AWholeAnswerThatTheEngineDidNotCountCostsTheSameInEveryApi) {
    const std::string think(600, 't');
    const std::string call = R"({"role":"assistant","content":null,"tool_calls":[{"id":"c","type":)"
                             R"("function","function":{"name":"find","arguments":")" +
                             arguments_of(2000) + R"("}}]})";
    const std::string thought =
        R"({"role":"assistant","content":"","reasoning":")" + think + R"("})";
    const std::string twice = R"({"role":"assistant","content":"","reasoning":")" + think +
                              R"(","reasoning_content":")" + think + R"("})";
    const std::string prompt_alone = R"(,"usage":{"prompt_tokens":7})";

    expect_one_price({call, "", "input_fresh 1, output_visible 334, -"});
    expect_one_price({call, prompt_alone, "input_fresh 7, output_visible 334, -"});
    expect_one_price({thought, "", "input_fresh 1, output_visible 100, -"});
    expect_one_price({twice, "", "input_fresh 1, output_visible 100, -"});
    expect_one_price({twice, prompt_alone, "input_fresh 7, output_visible 100, -"});
    const std::string nothing = R"({"role":"assistant","content":""})";
    expect_one_price({nothing, prompt_alone, "input_fresh 7, output_visible 0, -"});
}

// ---- what the client is told ----

// An engine that tells no usage.
EngineScript untold(bool streams) {
    if (!streams)
        return {
            .content_type = "application/json",
            .pieces = {R"({"id":"c","object":"chat.completion","model":"m","choices":[{"index":0,)"
                       R"("message":{"role":"assistant","content":"twelve bytes"},)"
                       R"("finish_reason":"stop"}]})"}
        };
    EngineScript script = streamed("null");
    script.pieces.erase(script.pieces.begin() + 2);
    return script;
}

std::string output_of(const CallRecord& call) {
    return std::to_string(call.tokens.output_visible.value_or(-1));
}

TEST(UsageCalls, OpenAIsClientsAreToldTheCostAndEveryoneTheCountThatIsBilled) {
    struct Api {
        std::string path;
        std::string body;
        std::string output;  // the member that has it
        bool cost;
    };
    const std::string responses = R"({"model":"m","max_output_tokens":50,"input":"hello there")";
    const std::vector<Api> apis{
        {"/v1/chat/completions", kMessages, "completion_tokens", true},
        {"/v1/responses", responses, "output_tokens", true},
        {"/v1/messages", kMessages, "output_tokens", false},
        {"/api/chat",
         kMessages.substr(0, kMessages.find(R"(,"max_tokens":50)")) +
             kMessages.substr(kMessages.find(R"(,"messages")")),
         "eval_count", false},
    };
    for (const Api& api : apis)
        for (const bool streams : {false, true}) {
            Fixture f;
            f.add_engine(untold(streams));
            std::string body = api.body + (streams ? R"(,"stream":true)" : R"(,"stream":false)");
            if (streams && api.path == "/v1/chat/completions")
                body += R"(,"stream_options":{"include_usage":true})";
            const std::string told = f.ask_at(api.path, body + "}").body;
            f.wait_for_records(1);
            const CallRecord& call = f.server.records.rbegin()->second;
            SCOPED_TRACE(api.path + (streams ? " streamed: " : ": ") + told);
            EXPECT_TRUE(told.contains('"' + api.output + "\":" + output_of(call)));
            // Of pieces that were counted and a prompt that was not: the worse of both.
            EXPECT_EQ(call.basis, UsageBasis::estimated);
            EXPECT_TRUE(told.contains(R"("penstock":{"basis":"estimated"})"));
            EXPECT_EQ(told.contains(R"("cost":0.)"), api.cost);
        }
}

TEST(UsageCalls, AStreamThatWasNotAskedForItsUsageHasNone) {
    Fixture f;
    f.add_engine(untold(true));
    const std::string told =
        f.ask_at("/v1/chat/completions", kMessages + R"(,"stream":true})").body;
    EXPECT_FALSE(told.contains("usage")) << told;
}

// The cost is that of the call it is told of.
TEST(UsageCalls, TheCostInTheUsageIsTheOneInTheHeader) {
    for (const char* const path : {"/v1/chat/completions", "/v1/responses"}) {
        Fixture f;
        f.add_engine(told(kMedia));
        const std::string body =
            path == std::string_view("/v1/responses")
                ? R"({"model":"m","max_output_tokens":50,"input":"hello there"})"
                : kMessages + "}";
        const ClientAnswer answer = f.ask_at(path, body);
        const std::string cost(answer.headers.get("x-penstock-cost"));
        EXPECT_TRUE(answer.body.contains(R"("cost":)" + cost + ",")) << answer.body << cost;
    }
}

}  // namespace
}  // namespace penstock::gateway
