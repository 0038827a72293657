// SPDX-License-Identifier: Apache-2.0
#include "gateway/second_half.h"

#include <gtest/gtest.h>

namespace penstock::gateway {
namespace {

using dialects::Dialect;

constexpr std::string_view kWord =
    R"({"id":"c1","created":7,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"one "}}]})";

std::string chunk(std::string_view delta, std::string_view reason = "null") {
    return R"({"id":"c2","model":"n","choices":[{"index":0,"delta":{)" + std::string(delta) +
           R"(},"finish_reason":)" + std::string(reason) + "}]}";
}

// What a client of `client` is told of `first` by an engine that passes through, then of `second`
// by another engine, in which `[DONE]` ends.
struct Halves {
    explicit Halves(Dialect first_engine, const std::vector<std::string>& first) {
        auto reader = dialects::make_stream_reader(first_engine);
        for (const std::string& data : first) so_far.add(*reader->read({}, data));
    }
    std::string go_on(
        Dialect client, const std::vector<std::string>& second, std::string left_out = "",
        Dialect engine = Dialect::chat
    ) {
        auto writer = so_far.writer(client, {.id = "id", .model = "mine", .created = 1});
        SecondHalf half(so_far, std::move(left_out));
        auto reader = dialects::make_stream_reader(engine);
        std::string out;
        for (const std::string& data : second) {
            const auto frame = half.take(*reader->read({}, data));
            if (!frame) return out + "! " + frame.error().message;
            EXPECT_TRUE(writer->write(*frame, out));
        }
        ended = half.ended();
        return out;
    }
    AnswerSoFar so_far;
    bool ended = false;
};

TEST(SecondHalf, GoesOnUnderTheIdThatChatsClientHasSeen) {
    Halves halves(Dialect::chat, {std::string(kWord)});

    const std::string out = halves.go_on(
        Dialect::chat, {chunk(R"("role":"assistant","content":"")"), chunk(R"("content":"two")"),
                        chunk("", R"("stop")"), "[DONE]"}
    );

    EXPECT_EQ(
        out, R"(data: {"id":"c1","object":"chat.completion.chunk","created":7,"model":"mine",)"
             R"("choices":[{"index":0,"delta":{"content":"two"},"finish_reason":null}]})"
             "\n\n"
             R"(data: {"id":"c1","object":"chat.completion.chunk","created":7,"model":"mine",)"
             R"("choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})"
             "\n\n"
    );
    EXPECT_TRUE(halves.ended);
}

TEST(SecondHalf, JoinsTheTextThatAnthropicsClientSeesOpen) {
    Halves halves(
        Dialect::anthropic,
        {R"({"type":"message_start","message":{"id":"msg_1","model":"m","usage":{"input_tokens":3,"output_tokens":1}}})",
         R"({"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}})",
         R"({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"one "}})"}
    );

    const std::string out = halves.go_on(
        Dialect::anthropic, {chunk(R"("content":"two")"), chunk("", R"("length")"), "[DONE]"}
    );

    EXPECT_EQ(
        out,
        "event: content_block_delta\n"
        R"(data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"two"}})"
        "\n\n"
        "event: content_block_stop\n"
        R"(data: {"type":"content_block_stop","index":0})"
        "\n\n"
    );
}

TEST(SecondHalf, EndsATextThatTheEngineHadNothingToAddTo) {
    Halves halves(Dialect::chat, {std::string(kWord)});
    EXPECT_EQ(
        halves.go_on(Dialect::anthropic, {chunk("", R"("stop")")}),
        "event: content_block_stop\n"
        R"(data: {"type":"content_block_stop","index":0})"
        "\n\n"
    );
}

TEST(SecondHalf, CountsCallsOfToolsOnBehindTheText) {
    Halves halves(Dialect::chat, {std::string(kWord)});
    const std::string out = halves.go_on(
        Dialect::anthropic,
        {chunk(
            R"("tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}])"
        )}
    );
    EXPECT_NE(
        out.find(R"("index":1,"content_block":{"type":"tool_use","id":"c","name":"f")"), out.npos
    );
}

TEST(SecondHalf, SaysSpaceOnceThatTheEngineRepeats) {
    Halves halves(Dialect::chat, {std::string(kWord)});
    EXPECT_NE(
        halves.go_on(Dialect::ollama, {chunk(R"("content":" tw")")}, " ").find(R"("content":"tw")"),
        std::string::npos
    );
    EXPECT_NE(
        halves.go_on(Dialect::ollama, {chunk(R"("content":"o")")}, " ").find(R"("content":"o")"),
        std::string::npos
    );
    EXPECT_EQ(halves.go_on(Dialect::ollama, {chunk(R"("content":" ")")}, " "), "");
}

TEST(SecondHalf, RefusesWhatNoTextGoesOnWith) {
    Halves halves(Dialect::chat, {std::string(kWord)});
    EXPECT_EQ(
        halves.go_on(Dialect::chat, {chunk(R"("reasoning_content":"hm")")}),
        "! the engine that went on began something else than text or a call"
    );
    EXPECT_EQ(
        halves.go_on(Dialect::chat, {R"({"error":{"message":"no memory"}})"}),
        "! the engine that went on failed: no memory"
    );
    EXPECT_EQ(
        halves.go_on(Dialect::chat, {R"({"choices":[{"index":1,"delta":{"content":"x"}}]})"}),
        "! the engine that went on began several choices"
    );
}

std::string obstacle(std::vector<std::string> frames) {
    return std::string(Halves(Dialect::chat, std::move(frames)).so_far.obstacle());
}

TEST(AnswerSoFar, NamesWhatNobodyCanGoOnWith) {
    EXPECT_EQ(obstacle({std::string(kWord)}), "");
    EXPECT_EQ(
        obstacle(
            {std::string(kWord),
             chunk(R"("tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":""}}])")}
        ),
        "a call of a tool had begun"
    );
    EXPECT_EQ(
        obstacle({chunk(R"("reasoning_content":"hm")")}), "the model had shown its reasoning"
    );
    EXPECT_EQ(obstacle({chunk(R"("refusal":"no")")}), "the model had begun to refuse");
    EXPECT_EQ(obstacle({chunk("", R"("stop")")}), "the model had finished");
    EXPECT_EQ(
        obstacle({R"({"choices":[{"index":1,"delta":{"content":"x"}}]})"}),
        "the answer had several choices"
    );
    const std::string long_text(AnswerSoFar::kTextBytesMax, 'x');
    EXPECT_EQ(obstacle({chunk("\"content\":\"" + long_text + "\"")}), "");
    EXPECT_EQ(
        obstacle({chunk("\"content\":\"" + long_text + "x\"")}), "the answer was longer than 64 KiB"
    );
}

}  // namespace
}  // namespace penstock::gateway
