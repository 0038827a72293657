// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>

#include "dialects/golden_files.h"
#include "dialects/stream.h"

// Arguments of calls arrive byte by byte as they were sent, however the stream was split.
namespace penstock::dialects {
namespace {

std::vector<std::string> split(const std::string& text) {
    std::vector<std::string> pieces;
    std::size_t at = 0;
    while (at < text.size()) {
        const auto size = *rc::gen::inRange<std::size_t>(1, 8);
        pieces.push_back(text.substr(at, size));
        at += size;
    }
    return pieces;
}

// Printable ASCII, quotes and backslashes included: models send broken JSON as well.
std::string arguments() {
    return *rc::gen::container<std::string>(rc::gen::inRange<char>(' ', '~'));
}

Json chat_chunk(Json::Object delta, Json finish = nullptr) {
    return Json::Object{
        {"choices",
         Json::Array{Json::Object{
             {"index", 0}, {"delta", std::move(delta)}, {"finish_reason", std::move(finish)}
         }}}
    };
}

std::vector<GoldenFrame> chat_stream(const std::vector<std::string>& calls) {
    std::vector<GoldenFrame> frames;
    const auto add = [&](const Json& chunk) { frames.push_back({{}, print_json(chunk)}); };
    for (std::size_t i = 0; i < calls.size(); ++i) {
        const auto index = static_cast<std::int64_t>(i);
        add(chat_chunk(
            {{"tool_calls", Json::Array{Json::Object{
                                {"index", index},
                                {"id", "call_" + std::to_string(i)},
                                {"type", "function"},
                                {"function", Json::Object{{"name", "f"}, {"arguments", ""}}}
                            }}}}
        ));
        for (const std::string& piece : split(calls[i]))
            add(chat_chunk(
                {{"tool_calls",
                  Json::Array{Json::Object{
                      {"index", index}, {"function", Json::Object{{"arguments", piece}}}
                  }}}}
            ));
    }
    add(chat_chunk(Json::Object{}, "tool_calls"));
    frames.push_back({{}, "[DONE]"});
    return frames;
}

using Calls = std::map<std::int64_t, std::string>;

Calls calls_of_anthropic(const std::string& out) {
    Calls calls;
    for (const GoldenFrame& frame : frames_of(out, Dialect::anthropic)) {
        const Json event = *parse_json(frame.data);
        if (frame.name == "content_block_start") calls[*event.find("index")->if_integer()];
        const Json* delta = event.find("delta");
        const Json* partial = delta == nullptr ? nullptr : delta->find("partial_json");
        if (partial != nullptr) calls[*event.find("index")->if_integer()] += *partial->if_string();
    }
    return calls;
}

Calls calls_of_responses(const std::string& out, Calls& whole) {
    Calls calls;
    for (const GoldenFrame& frame : frames_of(out, Dialect::responses)) {
        const Json event = *parse_json(frame.data);
        if (frame.name == "response.function_call_arguments.delta")
            calls[*event.find("output_index")->if_integer()] += *event.find("delta")->if_string();
        if (frame.name == "response.function_call_arguments.done")
            whole[*event.find("output_index")->if_integer()] =
                *event.find("arguments")->if_string();
    }
    return calls;
}

Calls calls_of_chat(const std::string& out) {
    Calls calls;
    for (const GoldenFrame& frame : frames_of(out, Dialect::chat)) {
        if (frame.data == "[DONE]") continue;
        const Json chunk = *parse_json(frame.data);
        const Json::Array& choices = *chunk.find("choices")->if_array();
        if (choices.empty()) continue;  // the usage
        const Json* delta = choices.front().find("delta");
        const Json* list = delta->find("tool_calls");
        if (list == nullptr) continue;
        const Json& call = list->if_array()->front();
        calls[*call.find("index")->if_integer()] +=
            *call.find("function")->find("arguments")->if_string();
    }
    return calls;
}

Calls wanted(const std::vector<std::string>& calls, bool object_where_empty) {
    Calls all;
    for (std::size_t i = 0; i < calls.size(); ++i)
        all[static_cast<std::int64_t>(i)] =
            calls[i].empty() && object_where_empty ? "{}" : calls[i];
    return all;
}

RC_GTEST_PROP(StreamProperty, ArgumentsOfChatAreByteEqualInEveryDialect, ()) {
    std::vector<std::string> calls;
    const auto count = *rc::gen::inRange<int>(1, 4);
    for (int i = 0; i < count; ++i) calls.push_back(arguments());
    const std::vector<GoldenFrame> frames = chat_stream(calls);

    const std::string anthropic = convert(frames, Dialect::chat, Dialect::anthropic);
    const std::string responses = convert(frames, Dialect::chat, Dialect::responses);
    const std::string chat = convert(frames, Dialect::chat, Dialect::chat);

    RC_ASSERT(calls_of_anthropic(anthropic) == wanted(calls, false));
    Calls whole;
    RC_ASSERT(calls_of_responses(responses, whole) == wanted(calls, true));
    RC_ASSERT(whole == wanted(calls, true));
    RC_ASSERT(calls_of_chat(chat) == wanted(calls, false));
    // And back.
    RC_ASSERT(
        calls_of_chat(
            convert(frames_of(anthropic, Dialect::anthropic), Dialect::anthropic, Dialect::chat)
        ) == wanted(calls, true)
    );
}

// ---- every split of one call, by every engine that streams arguments, to every client ----

std::vector<GoldenFrame> anthropic_stream(const std::vector<std::string>& pieces) {
    std::vector<GoldenFrame> frames;
    const auto add = [&](Json::Object event) {
        const std::string name = *find(event, "type")->if_string();
        frames.push_back({name, print_json(event)});
    };
    add({{"type", "message_start"}, {"message", Json::Object{{"id", "m"}, {"model", "e"}}}});
    add(
        {{"type", "content_block_start"},
         {"index", 0},
         {"content_block",
          Json::Object{{"type", "tool_use"}, {"id", "t"}, {"name", "f"}, {"input", Json::Object{}}}}
        }
    );
    for (const std::string& piece : pieces)
        add(
            {{"type", "content_block_delta"},
             {"index", 0},
             {"delta", Json::Object{{"type", "input_json_delta"}, {"partial_json", piece}}}}
        );
    add({{"type", "content_block_stop"}, {"index", 0}});
    add({{"type", "message_delta"}, {"delta", Json::Object{{"stop_reason", "tool_use"}}}});
    add({{"type", "message_stop"}});
    return frames;
}

std::vector<GoldenFrame> chat_stream_of(const std::vector<std::string>& pieces) {
    std::vector<GoldenFrame> frames;
    bool first = true;
    for (const std::string& piece : pieces) {
        Json::Object function{{"arguments", piece}};
        if (std::exchange(first, false)) function.push_back({"name", "f"});
        Json::Object call{{"index", 0}, {"id", "t"}, {"function", std::move(function)}};
        frames.push_back(
            {{}, print_json(chat_chunk({{"tool_calls", Json::Array{std::move(call)}}}))}
        );
    }
    frames.push_back({{}, print_json(chat_chunk(Json::Object{}, "tool_calls"))});
    frames.push_back({{}, "[DONE]"});
    return frames;
}

std::string arguments_told(const std::vector<GoldenFrame>& frames, Dialect from, Dialect to) {
    const std::string out = convert(frames, from, to);
    Calls whole;
    switch (to) {
        case Dialect::chat:
            return calls_of_chat(out)[0];
        case Dialect::anthropic:
            return calls_of_anthropic(out)[0];
        case Dialect::responses:
            return calls_of_responses(out, whole)[0];
        case Dialect::ollama:
            break;
    }
    for (const GoldenFrame& line : frames_of(out, Dialect::ollama)) {
        const Json document = *parse_json(line.data);
        const Json* calls = document.find("message")->find("tool_calls");
        if (calls != nullptr)
            return print_json(*calls->if_array()->front().find("function")->find("arguments"));
    }
    return "no call in " + out;
}

TEST(StreamProperty, ArgumentsAreByteEqualForEverySplit) {
    // As Ollama prints an object; with escapes, a number beyond 64 bits, and characters of several
    // bytes.
    const std::string arguments =
        R"({"a":"\"x\\","b":12345678901234567890123,"c":"ä😀","d":[1.0,null]})";
    std::size_t splits = 0;
    for (std::size_t at = 0; at <= arguments.size(); ++at)
        for (const Dialect to : kDialects) {
            // Within a character no engine can split: its frames are JSON.
            const bool inside = at < arguments.size() &&
                                (static_cast<unsigned char>(arguments[at]) & 0xC0U) == 0x80U;
            if (inside) continue;
            const std::vector<std::string> pieces{arguments.substr(0, at), arguments.substr(at)};
            EXPECT_EQ(arguments_told(chat_stream_of(pieces), Dialect::chat, to), arguments) << at;
            EXPECT_EQ(arguments_told(anthropic_stream(pieces), Dialect::anthropic, to), arguments)
                << at;
            ++splits;
        }
    EXPECT_GT(splits, 200U);
}

}  // namespace
}  // namespace penstock::dialects
