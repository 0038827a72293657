// SPDX-License-Identifier: Apache-2.0
#include "dialects/usage.h"

#include <gtest/gtest.h>

#include "routing/chat_response.h"

namespace penstock::dialects {
namespace {

std::string number(const std::optional<std::int64_t>& count) {
    return count ? std::to_string(*count) : "-";
}

// "fresh+read+write5m+write1h out visible+reasoning !violations"
std::string shown(const Usage& usage) {
    const TokenCounts& t = usage.tokens;
    return number(t.input_fresh) + "+" + number(t.cache_read) + "+" + number(t.cache_write_5m) +
           "+" + number(t.cache_write_1h) + " out " + number(t.output_visible) + "+" +
           number(t.output_reasoning) + " !" + std::to_string(usage.violations);
}

std::string chat(const char* text) { return shown(read_chat_usage(*parse_json(text))); }
std::string anthropic(const char* text) { return shown(read_anthropic_usage(*parse_json(text))); }

TEST(Usage, OfChatIncludesTheCachedAndTheReasoningTokens) {
    EXPECT_EQ(
        chat(R"({"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,
                 "prompt_tokens_details":{"cached_tokens":4},
                 "completion_tokens_details":{"reasoning_tokens":2}})"),
        "6+4+-+- out 3+2 !0"
    );
    EXPECT_EQ(chat(R"({"prompt_tokens":10})"), "10+-+-+- out -+- !0");
    EXPECT_EQ(chat(R"({"prompt_tokens":0,"completion_tokens":null})"), "0+-+-+- out -+- !0");
}

TEST(Usage, OfOpenAiHasImagesSoundAndWritesToACacheInItsTotals) {
    const char* const written =
        R"({"PROMPT_tokens":100,"COMPLETION_tokens":50,"total_tokens":150,
            "PROMPT_tokens_details":{"cached_tokens":10,"cache_write_tokens":5,"image_tokens":30,
                                     "audio_tokens":25},
            "COMPLETION_tokens_details":{"reasoning_tokens":7,"audio_tokens":20}})";
    const TokenCounts classes{
        .input_fresh = 30,
        .cache_read = 10,
        .cache_write_5m = 5,
        .input_image = 30,
        .input_audio = 25,
        .output_visible = 23,
        .output_reasoning = 7,
        .output_audio = 20
    };
    const auto named = [&](const std::string& prompt, const std::string& completion) {
        std::string text = written;
        for (const auto& [from, to] : {std::pair("PROMPT", prompt), {"COMPLETION", completion}})
            for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from))
                text.replace(at, std::string_view(from).size(), to);
        return *parse_json(text);
    };

    const Usage of_chat = read_chat_usage(named("prompt", "completion"));
    const Usage of_responses = read_responses_usage(named("input", "output"));

    EXPECT_EQ(of_chat.tokens, classes);
    EXPECT_EQ(of_responses.tokens, classes);
    EXPECT_EQ(of_chat.violations + of_responses.violations, 0);
    EXPECT_EQ(chat_usage(classes), of_chat.written);
    EXPECT_EQ(responses_usage(classes), of_responses.written);
    EXPECT_EQ(
        print_json(anthropic_usage(classes)),
        R"({"input_tokens":85,"cache_read_input_tokens":10,"cache_creation_input_tokens":5,)"
        R"("output_tokens":50,"output_tokens_details":{"thinking_tokens":7}})"
    );
}

TEST(Usage, WordsAreTheEnginesOwn) {
    EXPECT_EQ(
        usage_words(read_chat_usage(*parse_json(R"({"prompt_tokens":3.50,"x":[null]})"))),
        R"({"prompt_tokens":3.50,"x":[null]})"
    );
    EXPECT_EQ(
        usage_words(read_ollama_usage(
            *parse_json(R"({"message":{"content":"private"},"eval_count":-5,"done":true})")
        )),
        R"({"eval_count":-5})"
    );
    const Usage later{
        .written = *parse_json(R"({"output_tokens":9})"),
        .earlier = *parse_json(R"({"input_tokens":6,"output_tokens":1})")
    };
    EXPECT_EQ(usage_words(later), R"({"input_tokens":6,"output_tokens":9})");
}

TEST(Usage, OfDeepSeekIsReadByHitAndMiss) {
    EXPECT_EQ(
        chat(R"({"prompt_tokens":10,"prompt_cache_hit_tokens":4,"prompt_cache_miss_tokens":6})"),
        "6+4+-+- out -+- !0"
    );
    EXPECT_EQ(
        chat(R"({"prompt_tokens":10,"prompt_cache_hit_tokens":4,"prompt_cache_miss_tokens":7})"),
        "6+4+-+- out -+- !" + std::to_string(routing::kUsageTotalDiffers)
    );
}

TEST(Usage, OfAnthropicExcludesTheCachedTokens) {
    EXPECT_EQ(
        anthropic(R"({"input_tokens":6,"cache_read_input_tokens":4,"output_tokens":5})"),
        "6+4+-+- out 5+- !0"
    );
    EXPECT_EQ(
        anthropic(R"({"input_tokens":6,"output_tokens":5,
                      "output_tokens_details":{"thinking_tokens":2}})"),
        "6+-+-+- out 3+2 !0"
    );
}

TEST(Usage, OfAnthropicCountsWhatWasWrittenToACacheOnce) {
    EXPECT_EQ(
        anthropic(R"({"input_tokens":6,"cache_creation_input_tokens":3,
                      "cache_creation":{"ephemeral_5m_input_tokens":1,
                                        "ephemeral_1h_input_tokens":2}})"),
        "6+-+1+2 out -+- !0"
    );
    EXPECT_EQ(
        anthropic(R"({"input_tokens":6,"cache_creation_input_tokens":3})"), "6+-+3+- out -+- !0"
    );
    EXPECT_EQ(
        anthropic(R"({"input_tokens":6,"cache_creation_input_tokens":2,
                      "cache_creation":{"ephemeral_5m_input_tokens":5,
                                        "ephemeral_1h_input_tokens":1}})"),
        "6+-+1+1 out -+- !" + std::to_string(routing::kUsageTotalDiffers)
    );
}

TEST(Usage, OfOllamaMayBeAbsent) {
    EXPECT_EQ(shown(read_ollama_usage(*parse_json(R"({"eval_count":5})"))), "-+-+-+- out 5+- !0");
}

TEST(Usage, LaterReportsReplaceWhatTheyName) {
    const Json both = later_usage(
        *parse_json(R"({"input_tokens":6,"cache_read_input_tokens":4,"output_tokens":1})"),
        *parse_json(R"({"output_tokens":15,"input_tokens":null})")
    );
    EXPECT_EQ(shown(read_anthropic_usage(both)), "6+4+-+- out 15+- !0");
}

}  // namespace
}  // namespace penstock::dialects
