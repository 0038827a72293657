// SPDX-License-Identifier: Apache-2.0
#include "dialects/stream.h"

#include <gtest/gtest.h>

#include "dialects/golden_files.h"

namespace penstock::dialects {
namespace {

namespace fs = std::filesystem;

// Compared as JSON; "[DONE]" stays what it is.
void expect_same_frames(const std::string& got, const std::string& wanted, Dialect dialect) {
    const std::vector<GoldenFrame> a = frames_of(got, dialect);
    const std::vector<GoldenFrame> b = frames_of(wanted, dialect);
    ASSERT_EQ(a.size(), b.size()) << got;
    for (std::size_t i = 0; i < a.size(); ++i) {
        EXPECT_EQ(a[i].name, b[i].name) << i;
        if (b[i].data == "[DONE]") {
            EXPECT_EQ(a[i].data, b[i].data);
            continue;
        }
        EXPECT_TRUE(*parse_json(a[i].data) == *parse_json(b[i].data))
            << i << "\n got    " << a[i].data << "\n wanted " << b[i].data;
    }
}

TEST(DialectStream, AStreamIsTheSameAfterTheCanonicalForm) {
    const std::vector<fs::path> files = files_in("golden/same/stream");
    for (const fs::path& path : files) {
        const Dialect dialect = dialect_of(path);
        const std::string before = read_file(path);
        expect_same_frames(convert(frames_of(before, dialect), dialect, dialect), before, dialect);
    }
    EXPECT_EQ(files.size(), 3U);
}

// FROM.sse becomes FROM.to.TO.sse, frame by frame; what it loses is in FROM.to.TO.lost.
TEST(DialectStream, AStreamOfAnEngineIsToldInTheClientsDialect) {
    std::size_t pairs = 0;
    for (const fs::path& folder : files_in("golden/convert/stream"))
        for (const fs::path& from : files_in(folder)) {
            if (from.filename().string().find(".to.") != std::string::npos) continue;
            const std::vector<GoldenFrame> frames = frames_of(read_file(from), dialect_of(from));
            for (const Dialect to : kDialects) {
                if (to == dialect_of(from)) continue;
                std::vector<std::string> losses;
                const std::string got = convert(frames, dialect_of(from), to, &losses);
                const fs::path path =
                    told_file(from, to, to == Dialect::ollama ? ".ndjson" : ".sse");
                SCOPED_TRACE(path.string());
                if (updates_golden()) write_file(path, got);
                expect_same_frames(got, read_file(path), to);
                expect_losses(path, losses);
                ++pairs;
            }
        }
    EXPECT_GE(pairs, 18U);
}

// Every cut of every engine's stream, told to every client: no end mark and no reason to stop that
// the engine did not send, and an error in the client's own words.
bool says_end(const std::string& out, Dialect dialect) {
    switch (dialect) {
        case Dialect::chat:
            return out.find("[DONE]") != std::string::npos;
        case Dialect::anthropic:
            return out.find("\"message_stop\"") != std::string::npos;
        case Dialect::ollama:
            return out.find("\"done\":true") != std::string::npos;
        case Dialect::responses:
            break;
    }
    return out.find("\"response.completed\"") != std::string::npos ||
           out.find("\"response.incomplete\"") != std::string::npos;
}

bool says_error(const std::string& out, Dialect dialect) {
    if (dialect == Dialect::responses || dialect == Dialect::anthropic)
        return out.find("event: error\n") != std::string::npos;
    return out.find("{\"error\":") != std::string::npos;
}

TEST(DialectStream, IsHonestAboutACutAfterEveryFrame) {
    std::size_t cuts = 0;
    for (const Dialect from : {Dialect::chat, Dialect::anthropic, Dialect::ollama}) {
        const std::string ending = from == Dialect::ollama ? ".ndjson" : ".sse";
        const std::string source = from == Dialect::chat        ? "chat"
                                   : from == Dialect::anthropic ? "anthropic"
                                                                : "ollama";
        const std::vector<GoldenFrame> frames =
            frames_of(read_file(fs::path("golden/convert/stream/tools") / (source + ending)), from);
        for (const Dialect to :
             {Dialect::chat, Dialect::responses, Dialect::anthropic, Dialect::ollama})
            for (std::size_t count = 0; count < frames.size(); ++count, ++cuts) {
                const auto reader = make_stream_reader(from);
                const auto writer = make_stream_writer(from, to, golden_context);
                std::string out;
                for (std::size_t i = 0; i < count; ++i)
                    ASSERT_TRUE(writer->write(*reader->read(frames[i].name, frames[i].data), out));
                EXPECT_FALSE(says_end(out, to)) << source << " " << count << "\n" << out;
                writer->fail({.type = "server_error", .message = "the engine broke off"}, out);
                EXPECT_TRUE(says_error(out, to)) << out;
            }
    }
    EXPECT_GT(cuts, 100U);
}

TEST(DialectStream, AnEngineThatClosesInOrderAfterItsReasonHasEnded) {
    const std::vector<GoldenFrame> frames =
        frames_of(read_file("golden/convert/stream/plain/chat.sse"), Dialect::chat);
    const auto reader = make_stream_reader(Dialect::chat);
    for (std::size_t i = 0; i + 2 < frames.size(); ++i)
        ASSERT_TRUE(reader->read("", frames[i].data));
    EXPECT_TRUE(reader->close().events.empty()) << "no reason to stop was given yet";
    ASSERT_TRUE(reader->read("", frames[frames.size() - 2].data));
    EXPECT_EQ(reader->close().events.size(), 1U);
    ASSERT_TRUE(reader->read("", "[DONE]"));
    EXPECT_TRUE(reader->close().events.empty()) << "it is over only once";
}

TEST(DialectStream, AnErrorEventOfTheEngineIsAnError) {
    const auto chat = make_stream_reader(Dialect::chat)->read("", R"({"error":{"message":"oom"}})");
    const auto anthropic = make_stream_reader(Dialect::anthropic)
                               ->read(
                                   "error", R"({"type":"error","error":{"type":"overloaded_error",)"
                                            R"("message":"busy"}})"
                               );
    const auto ollama = make_stream_reader(Dialect::ollama)->read("", R"({"error":"oom"})");
    for (const auto* frame : {&chat, &anthropic, &ollama}) {
        ASSERT_TRUE(*frame);
        EXPECT_EQ((*frame)->events.front().kind, StreamEvent::Kind::error);
        EXPECT_FALSE((*frame)->events.front().text.empty());
    }
}

std::vector<GoldenFrame> chat_frames(const std::vector<std::string>& frames) {
    std::vector<GoldenFrame> out;
    for (const std::string& data : frames) out.push_back({"", data});
    return out;
}

TEST(DialectStream, AnEmptyUsageTakesNothingBack) {
    const std::vector<GoldenFrame> frames = chat_frames(
        {R"({"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]})",
         R"({"choices":[],"usage":{"prompt_tokens":17,"completion_tokens":3}})",
         R"({"choices":[],"usage":{}})", "[DONE]"}
    );
    const std::string told = convert(frames, Dialect::chat, Dialect::anthropic);
    EXPECT_NE(told.find(R"("usage":{"input_tokens":17,"output_tokens":3})"), std::string::npos)
        << told;
    const std::string same = convert(frames, Dialect::chat, Dialect::chat);
    EXPECT_NE(same.find(R"("usage":{})"), std::string::npos) << same;
}

TEST(DialectStream, AHiddenTextUnderTwoNamesIsOneText) {
    const std::vector<GoldenFrame> frames = chat_frames(
        {R"({"choices":[{"index":0,"delta":{"reasoning_content":"hm","reasoning":"hm"}}]})",
         R"({"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})", "[DONE]"}
    );
    const std::string told = convert(frames, Dialect::chat, Dialect::anthropic);
    EXPECT_NE(told.find("hm"), std::string::npos) << told;
    EXPECT_EQ(told.find("hm"), told.rfind("hm")) << told;
    const std::string same = convert(frames, Dialect::chat, Dialect::chat);
    EXPECT_NE(same.find(R"("reasoning":"hm")"), std::string::npos) << same;
    EXPECT_NE(same.find(R"("reasoning_content":"hm")"), std::string::npos) << same;
}

// Some engines say that they are done and give no reason to stop.
TEST(DialectStream, WhatCameBeforeAnEndWithoutAReasonIsTold) {
    const std::vector<GoldenFrame> text = chat_frames(
        {R"({"choices":[{"index":0,"delta":{"content":"Hel"}}]})",
         R"({"choices":[{"index":0,"delta":{"content":"lo"}}]})", "[DONE]"}
    );
    const std::string answer = convert(text, Dialect::chat, Dialect::responses);
    EXPECT_NE(answer.find(R"("type":"output_text","text":"Hello")"), std::string::npos) << answer;
    EXPECT_NE(answer.find("event: response.incomplete"), std::string::npos) << answer;
    EXPECT_EQ(answer.find("event: response.completed"), std::string::npos) << answer;

    const std::vector<GoldenFrame> call = chat_frames(
        {R"({"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","function":
             {"name":"look","arguments":"{\"x\":1}"}}]}}]})",
         "[DONE]"}
    );
    const std::string whole = convert(call, Dialect::chat, Dialect::ollama);
    EXPECT_NE(whole.find(R"("name":"look","arguments":{"x":1})"), std::string::npos) << whole;
    EXPECT_EQ(whole.find("done_reason"), std::string::npos) << whole;
    const std::string item = convert(call, Dialect::chat, Dialect::responses);
    EXPECT_NE(
        item.find(R"("status":"completed","call_id":"c","name":"look","arguments":"{\"x\":1}")"),
        std::string::npos
    ) << item;
}

// "arguments" of the one call that the stream makes, as Chat tells them.
std::string arguments_told(const std::vector<GoldenFrame>& frames, Dialect from) {
    std::string arguments;
    for (const GoldenFrame& frame :
         frames_of(convert(frames, from, Dialect::chat), Dialect::chat)) {
        const Result<Json> chunk = parse_json(frame.data);
        const Json* choices = chunk ? chunk->find("choices") : nullptr;
        if (choices == nullptr || choices->if_array()->empty()) continue;
        const Json* calls = choices->if_array()->front().find("delta")->find("tool_calls");
        if (calls == nullptr) continue;
        arguments += *calls->if_array()->front().find("function")->find("arguments")->if_string();
    }
    return arguments;
}

TEST(DialectStream, AnInputThatIsToldAsItsBlockBeginsIsTheCalls) {
    const std::string begin =
        R"({"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t",)"
        R"("name":"f","input":{"city":"Ulm"}}})";
    const GoldenFrame start{
        "message_start", R"({"type":"message_start","message":{"id":"m","model":"x","usage":{}}})"
    };
    const GoldenFrame stop{"content_block_stop", R"({"type":"content_block_stop","index":0})"};
    const GoldenFrame end{"message_stop", R"({"type":"message_stop"})"};
    const std::vector<GoldenFrame> at_once{start, {"content_block_start", begin}, stop, end};
    EXPECT_EQ(arguments_told(at_once, Dialect::anthropic), R"({"city":"Ulm"})");
    expect_same_frames(
        convert(at_once, Dialect::anthropic, Dialect::anthropic),
        "event: message_start\ndata: " + start.data + "\n\nevent: content_block_start\ndata: " +
            begin + "\n\nevent: content_block_stop\ndata: " + stop.data +
            "\n\nevent: message_stop\ndata: " + end.data + "\n\n",
        Dialect::anthropic
    );
    const GoldenFrame delta{
        "content_block_delta",
        R"({"type":"content_block_delta","index":0,"delta":)"
        R"({"type":"input_json_delta","partial_json":"{\"city\":\"Bonn\"}"}})"
    };
    const std::vector<GoldenFrame> in_pieces{
        start, {"content_block_start", begin}, delta, stop, end
    };
    EXPECT_EQ(arguments_told(in_pieces, Dialect::anthropic), R"({"city":"Bonn"})");
}

// Seen of engines: the name in each piece, no index, no id.
TEST(DialectStream, CallsAreToldApartHoweverTheEngineNamesThem) {
    const std::vector<GoldenFrame> repeated = chat_frames(
        {R"({"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","function":
             {"name":"look","arguments":"{\"x\""}}]}}]})",
         R"({"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","function":
             {"name":"look","arguments":":1}"}}]}}]})",
         R"({"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]})", "[DONE]"}
    );
    std::vector<std::string> losses;
    std::string told = convert(repeated, Dialect::chat, Dialect::ollama, &losses);
    EXPECT_NE(told.find(R"("name":"look","arguments":{"x":1})"), std::string::npos) << told;
    EXPECT_TRUE(losses.empty()) << losses.front();

    const std::vector<GoldenFrame> unnumbered = chat_frames(
        {R"({"choices":[{"index":0,"delta":{"tool_calls":[{"id":"a","function":
             {"name":"look","arguments":"{\"x\":1}"}},{"id":"b","function":
             {"name":"hear","arguments":"{\"y\":2}"}}]}}]})",
         R"({"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]})", "[DONE]"}
    );
    told = convert(unnumbered, Dialect::chat, Dialect::ollama, &losses);
    EXPECT_NE(told.find(R"("name":"look","arguments":{"x":1})"), std::string::npos) << told;
    EXPECT_NE(told.find(R"("name":"hear","arguments":{"y":2})"), std::string::npos) << told;

    const std::vector<GoldenFrame> nameless = chat_frames(
        {R"({"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":
             {"name":"look","arguments":"{}"}}]}}]})",
         R"({"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]})", "[DONE]"}
    );
    told = convert(nameless, Dialect::chat, Dialect::anthropic, &losses);
    EXPECT_NE(told.find(R"("type":"tool_use","id":"call_1_0")"), std::string::npos) << told;
    told = convert(nameless, Dialect::chat, Dialect::responses, &losses);
    EXPECT_NE(told.find(R"("call_id":"call_1_0")"), std::string::npos) << told;
    EXPECT_TRUE(losses.empty()) << losses.front();
}

TEST(DialectStream, AFailureThatIsNamedByAStatusKeepsItsClass) {
    const auto status_of = [](const std::string& error) {
        const auto frame =
            make_stream_reader(Dialect::chat)->read("", R"({"error":)" + error + "}");
        return failure_of(frame->events.front()).status;
    };
    EXPECT_EQ(status_of(R"({"message":"boom","code":429})"), 429);
    EXPECT_EQ(status_of(R"({"message":"boom","type":"BadRequestError","code":400})"), 400);
    EXPECT_EQ(status_of(R"({"message":"boom","code":503})"), 503);
    EXPECT_EQ(status_of(R"({"message":"boom","code":"504"})"), 504);
    EXPECT_EQ(status_of(R"({"message":"boom","code":500})"), 502);
    EXPECT_EQ(status_of(R"({"message":"boom","type":"rate_limit_error","code":500})"), 429);
}

TEST(DialectStream, BoundsWhatItKeepsOfAnAnswer) {
    const auto reader = make_stream_reader(Dialect::chat);
    const auto writer = make_stream_writer(Dialect::chat, Dialect::responses, golden_context);
    const std::string piece(512UL * 1024, 'x');
    const std::string frame = R"({"choices":[{"index":0,"delta":{"content":")" + piece + R"("}}]})";
    std::size_t written = 0;
    Result<void> last;
    while (last && written < 2 * kStreamKeptBytesMax) {
        std::string out;
        last = writer->write(*reader->read("", frame), out);
        written += piece.size();
    }
    ASSERT_FALSE(last);
    EXPECT_EQ(last.error().code, ErrorCode::resource_exhausted);
    EXPECT_LE(written, kStreamKeptBytesMax + piece.size());
}

}  // namespace
}  // namespace penstock::dialects
