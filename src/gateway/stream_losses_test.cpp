// SPDX-License-Identifier: Apache-2.0
#include "gateway/stream_losses.h"

#include <gtest/gtest.h>

namespace penstock::gateway {
namespace {

using dialects::Dialect;

TEST(StreamLosses, NamesEachLossOnceAtItsPlace) {
    StreamLosses losses;
    std::string first = "data: {}\n\n";
    std::string again = "data: {}\n\n";

    losses.add({.said = {"content[1].citations"}, .beside = {"container"}}, Dialect::chat, first);
    losses.add({.said = {"content[1].citations"}}, Dialect::chat, again);

    EXPECT_EQ(
        first, ": penstock {\"dropped\":[\"content[1].citations\",\"container\"]}\n\ndata: {}\n\n"
    );
    EXPECT_EQ(again, "data: {}\n\n");
}

TEST(StreamLosses, NamesAllOfThemBesideTheUsage) {
    StreamLosses losses;
    std::string out;
    losses.add({.said = {"a"}}, Dialect::chat, out);
    losses.add({.said = {"b"}}, Dialect::chat, out);
    std::string chat = "data: {\"usage\":{\"prompt_tokens\":1}}\n\ndata: [DONE]\n\n";
    std::string messages =
        "event: message_delta\ndata: {\"usage\":{}}\n\nevent: message_stop\ndata: {}\n\n";
    std::string responses = "event: response.completed\ndata: {\"response\":{\"id\":\"r\"}}\n\n";
    std::string lines = "{\"message\":{}}\n{\"done\":true}\n";

    losses.mark_end(Dialect::chat, chat);
    losses.mark_end(Dialect::anthropic, messages);
    losses.mark_end(Dialect::responses, responses);
    losses.mark_end(Dialect::ollama, lines);

    EXPECT_EQ(
        chat,
        "data: {\"penstock\":{\"dropped\":[\"a\",\"b\"]},\"usage\":{\"prompt_tokens\":1}}\n\n"
        "data: [DONE]\n\n"
    );
    EXPECT_EQ(
        messages,
        "event: message_delta\ndata: {\"penstock\":{\"dropped\":[\"a\",\"b\"]},"
        "\"usage\":{}}\n\nevent: message_stop\ndata: {}\n\n"
    );
    EXPECT_EQ(
        responses,
        "event: response.completed\ndata: {\"response\":{\"penstock\":"
        "{\"dropped\":[\"a\",\"b\"]},\"id\":\"r\"}}\n\n"
    );
    EXPECT_EQ(
        lines, "{\"message\":{}}\n{\"penstock\":{\"dropped\":[\"a\",\"b\"]},\"done\":true}\n"
    );
}

TEST(StreamLosses, SaysNothingWhereNothingWasLost) {
    StreamLosses losses;
    std::string out = "{\"done\":true}\n";

    losses.add({}, Dialect::ollama, out);
    losses.mark_end(Dialect::ollama, out);

    EXPECT_EQ(out, "{\"done\":true}\n");
    EXPECT_TRUE(losses.empty());
}

TEST(StreamLosses, BoundsTheNamesItKeeps) {
    StreamLosses losses;
    dialects::Losses many;
    for (std::size_t i = 0; i < 3 * StreamLosses::kNamesMax; ++i)
        many.said.push_back("content[" + std::to_string(i) + "].type");
    std::string out;

    losses.add(many, Dialect::ollama, out);

    const dialects::Json mark = losses.mark();
    EXPECT_EQ(mark.find("dropped")->if_array()->size(), StreamLosses::kNamesMax + 1);
    EXPECT_EQ(*mark.find("dropped")->if_array()->back().if_string(), "and more");
}

}  // namespace
}  // namespace penstock::gateway
