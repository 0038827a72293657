// SPDX-License-Identifier: Apache-2.0
#include "gateway/text_meter.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace penstock::gateway {
namespace {

using dialects::Dialect;

// As byte_level.tokenizer.json of the tokenizer's tests.
tokenizer::Tokenizer byte_level() {
    std::ifstream file(PENSTOCK_TOKENIZER_TESTDATA "/byte_level.tokenizer.json");
    std::ostringstream text;
    text << file.rdbuf();
    Result<tokenizer::Tokenizer> made = tokenizer::Tokenizer::from_file(text.str());
    EXPECT_TRUE(made) << to_string(made.error());
    return *std::move(made);
}

std::int64_t tokens(const tokenizer::Tokenizer& tokenizer, std::string_view text) {
    return *tokenizer.count(text, tokenizer::SpecialTokens::as_text);
}

TEST(TextMeter, CountsTheTextsOfAPromptInEveryDialect) {
    const tokenizer::Tokenizer tokenizer = byte_level();
    const std::int64_t wanted =
        tokens(tokenizer, "be brief") + tokens(tokenizer, "how deep is the water");
    const auto counted = [&](Dialect dialect, const char* body) {
        return count_prompt(tokenizer, {dialect, false, body}).value_or(-1);
    };
    EXPECT_EQ(
        counted(
            Dialect::chat,
            R"({"model":"m","messages":[{"role":"system","content":"be brief"},)"
            R"({"role":"user","content":[{"type":"text","text":"how deep is the water"}]}]})"
        ),
        wanted
    );
    EXPECT_EQ(
        counted(
            Dialect::anthropic, R"({"model":"m","max_tokens":9,"system":"be brief",)"
                                R"("messages":[{"role":"user","content":"how deep is the water"}]})"
        ),
        wanted
    );
    EXPECT_EQ(
        counted(
            Dialect::responses,
            R"({"model":"m","instructions":"be brief","input":"how deep is the water"})"
        ),
        wanted
    );
    EXPECT_EQ(
        counted(
            Dialect::ollama, R"({"model":"m","messages":[{"role":"system","content":"be brief"},)"
                             R"({"role":"user","content":"how deep is the water"}]})"
        ),
        wanted
    );
}

TEST(TextMeter, CountsTextsToBeEmbeddedAndNotTheirTokenNumbers) {
    const tokenizer::Tokenizer tokenizer = byte_level();
    const auto counted = [&](const char* body) {
        return count_prompt(tokenizer, {Dialect::chat, true, body});
    };
    EXPECT_EQ(
        counted(R"({"model":"m","input":["one","two"]})"),
        tokens(tokenizer, "one") + tokens(tokenizer, "two")
    );
    EXPECT_EQ(counted(R"({"model":"m","input":"one"})"), tokens(tokenizer, "one"));
    EXPECT_EQ(counted(R"({"model":"m","input":[1,2,3]})"), std::nullopt);
}

TEST(TextMeter, CountsNothingWhereItCannotRead) {
    const tokenizer::Tokenizer tokenizer = byte_level();
    EXPECT_EQ(count_prompt(tokenizer, {Dialect::chat, false, "{"}), std::nullopt);
    routing::AnswerTexts answer;
    answer.add(0, routing::AnswerTexts::Side::visible, "\xff");
    EXPECT_FALSE(count_answer(tokenizer, answer));
    routing::AnswerTexts cut;
    cut.add(
        0, routing::AnswerTexts::Side::visible,
        std::string(routing::AnswerTexts::kBytesMax + 1, 'a')
    );
    EXPECT_FALSE(count_answer(tokenizer, cut));
}

TEST(TextMeter, CountsEachChoiceAndSideByItself) {
    const tokenizer::Tokenizer tokenizer = byte_level();
    using Side = routing::AnswerTexts::Side;
    routing::AnswerTexts answer;
    answer.add(0, Side::visible, "wat");
    answer.add(0, Side::reasoning, "deep");
    answer.add(0, Side::visible, "er");
    answer.add(1, Side::visible, "er");
    const AnswerTokens counted = *count_answer(tokenizer, answer);
    EXPECT_EQ(counted.visible, tokens(tokenizer, "water") + tokens(tokenizer, "er"));
    EXPECT_EQ(counted.reasoning, tokens(tokenizer, "deep"));
}

}  // namespace
}  // namespace penstock::gateway
