// SPDX-License-Identifier: Apache-2.0
#include "routing/answer_texts.h"

#include <gtest/gtest.h>

namespace penstock::routing {
namespace {

using Side = AnswerTexts::Side;

// "0:text|0?reasoning", by choice.
std::string shown(const AnswerTexts& answer) {
    std::string out;
    for (const auto& [place, text] : answer.texts())
        out += (out.empty() ? "" : "|") + std::to_string(place.first) +
               (place.second == Side::visible ? ":" : "?") + text;
    return out;
}

TEST(AnswerTexts, PiecesOfAStreamAreJoinedByChoiceAndSide) {
    AnswerTexts answer;
    answer.add_chat(R"({"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]})");
    answer.add_chat(R"({"choices":[{"index":0,"delta":{"reasoning_content":"hm "}}]})");
    answer.add_chat(R"({"choices":[{"delta":{"content":"b\u00e9"},"index":1}]})");
    answer.add_chat(R"({"choices":[{"index":0,"delta":{"content":"a "}}]})");
    answer.add_chat(R"({"choices":[{"index":0,"delta":{"content":"c"},"finish_reason":"stop"}]})");
    EXPECT_EQ(shown(answer), "0:a c|0?hm |1:bé");
    EXPECT_TRUE(answer.whole());
}

TEST(AnswerTexts, ReasoningUnderTwoNamesIsOneText) {
    AnswerTexts answer;
    answer.add_chat(
        R"({"choices":[{"index":0,"delta":{"reasoning_content":"hm ","reasoning":"hm "}}]})"
    );
    EXPECT_EQ(shown(answer), "0?hm ");
}

TEST(AnswerTexts, CallsOfToolsHaveNameAndArguments) {
    AnswerTexts answer;
    answer.add_chat(
        R"({"choices":[{"index":0,"message":{"content":null,"tool_calls":[{"id":"x","type":"function",)"
        R"("function":{"name":"find","arguments":"{\"a\":1}"}}]}}]})"
    );
    EXPECT_EQ(shown(answer), R"(0:find{"a":1})");
}

TEST(AnswerTexts, WhatPassesTheLimitIsNotKeptAtAll) {
    AnswerTexts answer;
    answer.add(0, Side::visible, std::string(AnswerTexts::kBytesMax, 'a'));
    EXPECT_TRUE(answer.whole());
    answer.add(0, Side::reasoning, "b");
    EXPECT_FALSE(answer.whole());
    EXPECT_EQ(answer.bytes(), 0U);
    answer.add(0, Side::visible, "c");
    EXPECT_EQ(shown(answer), "");
}

TEST(AnswerTexts, WhatIsNoAnswerAddsNothing) {
    AnswerTexts answer;
    for (const char* text : {"[DONE]", "", "{", R"({"choices":7})", R"({"error":{"message":"m"}})"})
        answer.add_chat(text);
    EXPECT_EQ(shown(answer), "");
}

}  // namespace
}  // namespace penstock::routing
