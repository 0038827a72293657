// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <vector>

#include "routing/chat_chunk_reader.h"

namespace penstock::routing {
namespace {

// What may stand between the quotes of a string, and what ends or breaks it.
std::string any_text() {
    const auto piece = rc::gen::element<std::string>(
        "a", " word", "\xE4\xB8\xAD", "\xFF", "\\n", "\\\"", "\\", "\"", "\x01",
        "\",\"refusal\":\"x", "\"}}],\"error\":{\"message\":\"x",
        "a text that is longer than sixteen bytes"
    );
    std::string text;
    for (const std::string& one : *rc::gen::container<std::vector<std::string>>(piece)) text += one;
    return text;
}

std::string one_of(std::initializer_list<std::string> texts) {
    return *rc::gen::elementOf(std::vector<std::string>(texts));
}

// Few forms, so that many events of a stream have that of the one before.
std::string any_event() {
    if (*rc::gen::inRange(0, 20) == 0)
        return one_of({"[DONE]", "{}", "[]", "{\"choices\":[]}", "{"});
    const std::string text = any_text();
    const std::string name =
        one_of({"content", "content", "reasoning_content", "refusal", "other"});
    const std::string more = one_of({"", "", ",\"tool_calls\":[1]", ",\"content\":\"b\""});
    const std::string reason = one_of({"null", "null", "null", "\"stop\""});
    const std::string usage =
        one_of({"", "", "", ",\"usage\":{\"prompt_tokens\":3}", ",\"usage\":null"});
    const std::string model = "\"model\":" + one_of({"\"m\"", "\"m\"", "\"longer\"", "7"});
    const std::string choice = "{\"delta\":{\"" + name + "\":\"" + text + "\"" + more +
                               "},\"finish_reason\":" + reason + "}";
    const std::string choices =
        "\"choices\":[" + choice + one_of({"", "", "", ",{\"delta\":{\"content\":\"x\"}}"}) + "]";
    if (*rc::gen::arbitrary<bool>()) return "{" + model + "," + choices + usage + "}";
    return "{" + choices + usage + "," + model + "}";
}

RC_GTEST_PROP(ChatChunkReader, ReadsEachEventAsItIsReadAlone, ()) {
    ChatChunkReader reader;
    const auto count = *rc::gen::inRange(1, 30);
    std::string event = any_event();
    for (int n = 0; n < count; ++n) {
        const Result<ChatChunk> alone = read_chat_chunk(event);
        const Result<ChatChunk> read = reader.read(event);
        RC_ASSERT(read.has_value() == alone.has_value());
        if (read) RC_ASSERT(*read == *alone);
        // The usual next one: another text in the same place.
        if (alone && !alone->text.empty() && *rc::gen::inRange(0, 4) != 0)
            event.replace(alone->text.begin, alone->text.size(), any_text());
        else
            event = any_event();
    }
}

// Several events of that form are read by comparing: what the property says of them is not empty.
TEST(ChatChunkReader, FollowsTheTextOfAStream) {
    ChatChunkReader reader;
    const auto event = [](std::string_view text) {
        return "{\"choices\":[{\"delta\":{\"content\":\"" + std::string(text) +
               "\"}}],\"model\":\"m\"}";
    };
    for (const std::string_view text : {"a", "longer", "b", "\xE4\xB8\xAD"}) {
        const std::string data = event(text);
        const Result<ChatChunk> chunk = reader.read(data);
        ASSERT_TRUE(chunk);
        EXPECT_EQ(chunk->deltas, (DeltaCount{1, 0}));
        EXPECT_EQ(data.substr(chunk->text.begin, chunk->text.size()), text);
        EXPECT_EQ(data.substr(chunk->model_value.begin, chunk->model_value.size()), "\"m\"");
    }
    EXPECT_TRUE(reader.read(event(""))->deltas.empty());
    EXPECT_FALSE(reader.read(event("\"")));
}

}  // namespace
}  // namespace penstock::routing
