// SPDX-License-Identifier: Apache-2.0
#include "routing/chat_response.h"

#include <gtest/gtest.h>

#include "routing/class_prices.h"

namespace penstock::routing {
namespace {

ChatChunk chunk(std::string_view data) {
    const Result<ChatChunk> read = read_chat_chunk(data);
    EXPECT_TRUE(read) << data << ": " << to_string(read.error());
    return read.value_or(ChatChunk{});
}

std::string shown(const DisjointUsage& usage) {
    const auto number = [](const std::optional<std::int64_t>& n) {
        return n ? std::to_string(*n) : "-";
    };
    return number(usage.tokens.input_fresh) + "+" + number(usage.tokens.cache_read) + " " +
           number(usage.tokens.output_visible) + "+" + number(usage.tokens.output_reasoning) +
           " !" + std::to_string(usage.violations);
}

// Every class that is there: "input_fresh 6, cache_read 4 !0"
std::string classes(const DisjointUsage& usage) {
    std::string all;
    for (const TokenClassFacts& facts : kTokenClasses)
        if (const auto& count = usage.tokens.*facts.count)
            all.append(all.empty() ? "" : ", ")
                .append(facts.name)
                .append(" ")
                .append(std::to_string(*count));
    return all + " !" + std::to_string(usage.violations);
}

TEST(ChatChunk, CountsOnePieceForEachChoiceWithContent) {
    EXPECT_EQ(
        chunk(R"({"choices":[{"index":0,"delta":{"content":"a"}}]})").deltas, (DeltaCount{1, 0})
    );
    EXPECT_EQ(
        chunk(R"({"choices":[{"delta":{"content":"a"}},{"delta":{"content":"b"}}]})").deltas,
        (DeltaCount{2, 0})
    );
    EXPECT_EQ(
        chunk(R"({"choices":[{"delta":{"reasoning_content":"a","content":null}}]})").deltas,
        (DeltaCount{0, 1})
    );
    EXPECT_EQ(
        chunk(R"({"choices":[{"delta":{"tool_calls":[{"index":0}]}}]})").deltas, (DeltaCount{1, 0})
    );
}

TEST(ChatChunk, CountsAPieceOfSound) {
    EXPECT_EQ(
        chunk(R"({"choices":[{"delta":{"audio":{"id":"a","transcript":"Hi"}}}]})").deltas,
        (DeltaCount{.audio = 1})
    );
    EXPECT_EQ(
        chunk(R"({"choices":[{"delta":{"audio":{"data":"UklGRg=="}}}]})").deltas,
        (DeltaCount{.audio = 1})
    );
    EXPECT_TRUE(
        chunk(R"({"choices":[{"delta":{"audio":{"id":"a","expires_at":1}}}]})").deltas.empty()
    );
    EXPECT_TRUE(chunk(R"({"choices":[{"delta":{"content":null,"audio":null}}]})").deltas.empty());
}

TEST(ChatChunk, TellsWhereTheUsageStands) {
    const std::string data = R"({"choices":[], "usage" : {"prompt_tokens": 3} ,"x":1})";
    const ChatChunk usage = chunk(data);
    EXPECT_EQ(
        data.substr(usage.usage_text.begin, usage.usage_text.size()), R"({"prompt_tokens": 3})"
    );
}

TEST(ChatChunk, CountsNothingForRolesAndFinishes) {
    EXPECT_TRUE(chunk(R"({"choices":[{"delta":{"role":"assistant","content":""}}]})").deltas.empty()
    );
    const ChatChunk last =
        chunk(R"({"choices":[{"delta":{},"finish_reason":"stop"}],"usage":null})");
    EXPECT_EQ(last.finished, 1);
    EXPECT_TRUE(last.deltas.empty());
    EXPECT_FALSE(last.usage);
}

TEST(ChatChunk, KnowsTheUsageOnlyChunk) {
    const ChatChunk usage = chunk(
        R"({"model":"m","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}})"
    );
    EXPECT_TRUE(usage.is_usage_only());
    EXPECT_EQ(usage.usage->prompt_tokens, 3);
    EXPECT_FALSE(chunk(R"({"choices":[],"prompt_filter_results":[]})").is_usage_only());
    EXPECT_FALSE(chunk(R"({"choices":[{"delta":{}}],"usage":{"prompt_tokens":3}})").is_usage_only()
    );
}

TEST(ChatChunk, NeverCountsAnErrorBody) {
    const ChatChunk error = chunk(
        R"({"error":{"message":"x"},"choices":[{"delta":{"content":"a"}}],"usage":{"prompt_tokens":9}})"
    );
    EXPECT_TRUE(error.error);
    EXPECT_TRUE(error.deltas.empty());
    EXPECT_FALSE(error.usage);
    EXPECT_FALSE(chunk(R"({"error":null,"choices":[]})").error);
}

TEST(ChatChunk, ReadsDoneAndRefusesWhatIsNotJson) {
    EXPECT_TRUE(chunk("[DONE]").done);
    EXPECT_FALSE(read_chat_chunk("{\"choices\":[{\"delta\":"));
    EXPECT_FALSE(read_chat_chunk("usage: 5"));
}

TEST(ChatCompletion, ReadsUsageModelAndTextSize) {
    const std::string body =
        R"({"model":"up","choices":[{"message":{"role":"assistant","content":"h\u00e9"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2}})";
    const Result<ChatCompletion> answer = read_chat_completion(body);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->text_bytes, 3);
    EXPECT_EQ(answer->usage->completion_tokens, 2);
    EXPECT_EQ(replace_string(body, answer->model_value, "m").substr(0, 12), R"({"model":"m")");
}

std::int64_t text_bytes(std::string_view message) {
    const std::string body = R"({"choices":[{"message":)" + std::string(message) + "}]}";
    const Result<ChatCompletion> answer = read_chat_completion(body);
    EXPECT_TRUE(answer) << message;
    return answer ? answer->text_bytes : -1;
}

TEST(ChatCompletion, NamesAndArgumentsOfCallsAreText) {
    EXPECT_EQ(
        text_bytes(R"({"content":null,"tool_calls":[
            {"id":"c","type":"function","function":{"name":"find","arguments":"{\"q\":1}"}},
            {"id":"d","type":"function","function":{"name":"go"}}]})"),
        4 + 7 + 2
    );
}

TEST(ChatCompletion, ContentInPartsAndRefusalsAreText) {
    EXPECT_EQ(
        text_bytes(R"({"content":[{"type":"text","text":"abc"},{"type":"refusal","refusal":"de"},
            {"type":"other","text":"none"}],"refusal":"no"})"),
        3 + 2 + 2
    );
}

TEST(ChatCompletion, ReasoningUnderTwoNamesIsTextOnce) {
    EXPECT_EQ(text_bytes(R"({"reasoning":"think","content":"a","reasoning_content":"think"})"), 6);
    EXPECT_EQ(text_bytes(R"({"reasoning":"th\u0069nk","reasoning_content":"think"})"), 5);
    EXPECT_EQ(text_bytes(R"({"reasoning":"brief","reasoning_content":"at length"})"), 14);
    EXPECT_EQ(text_bytes(R"({"reasoning":null,"reasoning_content":"think"})"), 5);
    EXPECT_EQ(
        text_bytes(R"({"reasoning":"think","reasoning_details":[
            {"text":"thin","type":"reasoning.text"},{"type":"reasoning.summary","summary":"k"},
            {"type":"reasoning.encrypted","data":"xxxx"}]})"),
        5
    );
    EXPECT_EQ(
        text_bytes(
            R"({"reasoning":"think","reasoning_details":[{"type":"reasoning.encrypted","data":"x"}]})"
        ),
        5
    );
}

TEST(ChatCompletion, NeverCountsAnErrorBody) {
    const auto answer = read_chat_completion(
        R"({"error":{"message":"m"},"usage":{"prompt_tokens":100,"completion_tokens":100}})"
    );
    ASSERT_TRUE(answer);
    EXPECT_TRUE(answer->error);
    EXPECT_FALSE(answer->usage);
}

TEST(DisjointUsage, SplitsNestedClasses) {
    EXPECT_EQ(
        shown(disjoint(
            {.prompt_tokens = 10,
             .completion_tokens = 7,
             .total_tokens = 17,
             .cached_tokens = 4,
             .reasoning_tokens = 2}
        )),
        "6+4 5+2 !0"
    );
}

TEST(DisjointUsage, SplitsImagesAndSoundFromTheirTotals) {
    const ChatChunk usage = chunk(
        R"({"choices":[],"usage":{"prompt_tokens":100,"completion_tokens":50,"total_tokens":150,
            "prompt_tokens_details":{"cached_tokens":10,"cache_write_tokens":5,"text_tokens":40,
                                     "image_tokens":30,"audio_tokens":25},
            "completion_tokens_details":{"reasoning_tokens":7,"audio_tokens":20,
                                         "accepted_prediction_tokens":1}}})"
    );
    EXPECT_EQ(
        classes(disjoint(*usage.usage)),
        "input_fresh 30, cache_read 10, cache_write_5m 5, input_image 30, input_audio 25, "
        "output_visible 23, output_reasoning 7, output_audio 20 !0"
    );
}

// Nobody says whether sound that was read from a cache stands in both parts.
TEST(DisjointUsage, OfPartsThatOverlapTheLaterGiveWay) {
    EXPECT_EQ(
        classes(disjoint(
            {.prompt_tokens = 100, .cached_tokens = 64, .cache_write_tokens = 6, .audio_tokens = 80}
        )),
        "input_fresh 0, cache_read 64, cache_write_5m 6, input_audio 30 !2"
    );
    EXPECT_EQ(
        classes(disjoint(
            {.completion_tokens = 10, .reasoning_tokens = 8, .audio_output_tokens = INT64_MAX}
        )),
        "output_visible 0, output_reasoning 8, output_audio 2 !4"
    );
    EXPECT_EQ(
        classes(disjoint({.prompt_tokens = 10, .image_tokens = -4, .audio_tokens = 3})),
        "input_fresh 7, input_audio 3 !1"
    );
}

TEST(DisjointUsage, KeepsAbsentApartFromZero) {
    EXPECT_EQ(
        shown(disjoint({.prompt_tokens = 0, .completion_tokens = std::nullopt})), "0+- -+- !0"
    );
    EXPECT_EQ(
        shown(disjoint({.prompt_tokens = 5, .completion_tokens = 0, .cached_tokens = 0})),
        "5+0 0+- !0"
    );
}

TEST(DisjointUsage, ChargesTheSmallestConsistentReading) {
    EXPECT_EQ(
        shown(disjoint({.prompt_tokens = 3, .completion_tokens = 1, .cached_tokens = 9})),
        "0+3 1+- !2"
    );
    EXPECT_EQ(
        shown(disjoint({.prompt_tokens = 3, .completion_tokens = 1, .reasoning_tokens = 9})),
        "3+- 0+1 !4"
    );
    EXPECT_EQ(shown(disjoint({.prompt_tokens = -3, .completion_tokens = 1})), "-+- 1+- !1");
    EXPECT_EQ(
        shown(disjoint({.prompt_tokens = 3, .completion_tokens = 1, .total_tokens = 5})),
        "3+- 1+- !8"
    );
    EXPECT_EQ(
        shown(disjoint({.prompt_tokens = 3, .completion_tokens = 4, .total_tokens = 5})),
        "3+- 2+- !8"
    );
    EXPECT_EQ(
        shown(disjoint({.prompt_tokens = 3, .completion_tokens = 4, .total_tokens = 2})),
        "2+- 0+- !8"
    );
}

TEST(DisjointUsage, ReadsDeepSeeksCacheHits) {
    const ChatChunk usage = chunk(
        R"({"choices":[],"usage":{"prompt_tokens":8,"completion_tokens":1,"prompt_cache_hit_tokens":6,"prompt_cache_miss_tokens":2}})"
    );
    EXPECT_EQ(shown(disjoint(*usage.usage)), "2+6 1+- !0");
}

TEST(DisjointUsage, OfDeepSeekHitAndMissAreThePrompt) {
    const auto read = [](std::int64_t hit, std::int64_t miss) {
        return shown(
            disjoint({.prompt_tokens = 8, .cache_hit_tokens = hit, .cache_miss_tokens = miss})
        );
    };
    EXPECT_EQ(read(6, 2), "2+6 -+- !0");
    EXPECT_EQ(read(6, 1), "1+6 -+- !8");
    EXPECT_EQ(read(6, 3), "2+6 -+- !8");
    EXPECT_EQ(read(9, 0), "0+8 -+- !10");
    EXPECT_EQ(read(INT64_MAX, INT64_MAX), "0+8 -+- !10");
}

}  // namespace
}  // namespace penstock::routing
