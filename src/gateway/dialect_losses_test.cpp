// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "gateway/gateway_fixture.h"

// What an engine says that its client's dialect cannot: named, or refused, never dropped in
// silence.
namespace penstock::gateway {
namespace {

struct Client {
    const char* name;
    const char* path;
    const char* streamed;
    const char* whole;
    const char* end;
};
const std::vector<Client> clients{
    {"chat", "/v1/chat/completions",
     R"({"model":"m","max_tokens":64,"stream":true,"stream_options":{"include_usage":true},)"
     R"("messages":[{"role":"user","content":"Hi"}]})",
     R"({"model":"m","max_tokens":64,"messages":[{"role":"user","content":"Hi"}]})", "[DONE]"},
    {"responses", "/v1/responses",
     R"({"model":"m","max_output_tokens":64,"stream":true,"input":"Hi"})",
     R"({"model":"m","max_output_tokens":64,"input":"Hi"})", R"("type":"response.incomplete")"},
    {"anthropic", "/v1/messages",
     R"({"model":"m","max_tokens":64,"stream":true,"messages":[{"role":"user","content":"Hi"}]})",
     R"({"model":"m","max_tokens":64,"messages":[{"role":"user","content":"Hi"}]})",
     R"("type":"message_stop")"},
    {"ollama", "/api/chat", R"({"model":"m","messages":[{"role":"user","content":"Hi"}]})",
     R"({"model":"m","stream":false,"messages":[{"role":"user","content":"Hi"}]})",
     R"("done":true)"},
};

struct Engine {
    const char* name;
    const char* protocol;
    const char* stream;
    const char* content_type;
    const char* first_loss;  // that refuses, in its stream
};
const std::vector<Engine> engines{
    {"chat", "openai", "chat.sse", "text/event-stream", "choices[0].delta.audio"},
    {"anthropic", "anthropic", "anthropic.sse", "text/event-stream", "content[0].type"},
    {"ollama", "ollama", "ollama.ndjson", "application/x-ndjson", "message.mood"},
};

std::string recording(const std::string& file) {
    std::ifstream stream("../dialects/golden/convert/" + file, std::ios::binary);
    EXPECT_TRUE(stream) << file;
    std::ostringstream text;
    text << stream.rdbuf();
    return text.str();
}

bool says(const std::string& body, std::string_view what) {
    return body.find(what) != std::string::npos;
}

// Each pair of an engine and a client of another dialect.
template <class Check>
void for_each_pair(Check check) {
    for (const Engine& engine : engines)
        for (const Client& client : clients) {
            if (std::string_view(engine.name) == client.name) continue;
            SCOPED_TRACE(std::string(engine.name) + " to " + client.name);
            check(engine, client);
        }
}

void add_streaming(Fixture& f, const Engine& engine) {
    f.add_engine(
        {.content_type = engine.content_type,
         .pieces = {recording("stream/native/" + std::string(engine.stream))}},
        "m", engine.protocol
    );
}

TEST(DialectLosses, AStreamNamesThemAtTheirPlaceAndBesideItsUsage) {
    for_each_pair([](const Engine& engine, const Client& client) {
        Fixture f;
        add_streaming(f, engine);

        const ClientAnswer answer =
            f.ask_at(client.path, client.streamed, {{"x-penstock-unsupported", "drop"}});

        EXPECT_FALSE(answer.cut) << answer.body;
        EXPECT_TRUE(says(answer.body, client.end) || says(answer.body, "response.completed"));
        const std::string named = "\"" + std::string(engine.first_loss) + "\"";
        const std::size_t last = answer.body.rfind("\"penstock\":{\"dropped\":[");
        ASSERT_NE(last, std::string::npos) << answer.body;
        EXPECT_NE(answer.body.find(named, last), std::string::npos) << answer.body;
        const bool lines = std::string_view(client.name) == "ollama";
        const std::size_t mark = answer.body.find(": penstock {\"dropped\":[");
        EXPECT_EQ(mark == std::string::npos, lines) << answer.body;
        if (!lines) EXPECT_LT(mark, last) << answer.body;
    });
}

TEST(DialectLosses, AStreamEndsBeforeThemUnlessItMayGoWithoutThem) {
    for_each_pair([](const Engine& engine, const Client& client) {
        Fixture f;
        add_streaming(f, engine);

        const ClientAnswer answer = f.ask_at(client.path, client.streamed);

        EXPECT_TRUE(answer.cut) << answer.body;
        EXPECT_FALSE(says(answer.body, client.end)) << answer.body;
        const std::size_t error = answer.body.rfind("\"error\"");
        ASSERT_NE(error, std::string::npos) << answer.body;
        EXPECT_NE(
            answer.body.find("'" + std::string(engine.first_loss) + "'", error), std::string::npos
        ) << answer.body;
        EXPECT_TRUE(says(answer.body, "x-penstock-unsupported: drop")) << answer.body;
    });
}

TEST(DialectLosses, AnEngineIsNotToBlameForThem) {
    Fixture f;
    add_streaming(f, engines[1]);

    for (int i = 0; i < 12; ++i) f.ask_at(clients[0].path, clients[0].streamed);

    EXPECT_EQ(f.engines[0]->requests.size(), 12U) << "its breaker stays closed";
}

TEST(DialectLosses, AWholeAnswerIsRefusedOrListsThem) {
    for_each_pair([](const Engine& engine, const Client& client) {
        Fixture f;
        f.add_engine(
            {.content_type = "application/json",
             .pieces = {recording("response/native/" + std::string(engine.name) + ".json")}},
            "m", engine.protocol
        );

        const ClientAnswer refused = f.ask_at(client.path, client.whole);
        const ClientAnswer listed =
            f.ask_at(client.path, client.whole, {{"x-penstock-unsupported", "drop"}});

        EXPECT_EQ(refused.status, 400) << refused.body;
        EXPECT_EQ(refused.headers.get("x-should-retry"), "false");
        EXPECT_TRUE(says(refused.body, "the engine's answer has '")) << refused.body;
        EXPECT_EQ(listed.status, 200) << listed.body;
        EXPECT_FALSE(listed.headers.get("x-penstock-dropped").empty());
        f.wait_for_records(2);
        for (const auto& [id, call] : f.server.records)
            EXPECT_EQ(
                call.end_reason, to_string(id) == refused.headers.get("x-penstock-call")
                                     ? EndReason::refused
                                     : EndReason::done
            );
    });
}

TEST(DialectLosses, ProofsOfReasoningComeBackToTheEngineThatMadeThem) {
    Fixture f;
    f.add_engine(
        {.content_type = "application/json",
         .pieces = {recording("response/reasoning/anthropic.json")}},
        "m", "anthropic"
    );
    const ClientAnswer first = f.ask_at(clients[0].path, clients[0].whole);
    ASSERT_EQ(first.status, 200) << first.body;
    const std::size_t begin = first.body.find("{\"role\":\"assistant\"");
    const std::size_t end = first.body.find(",\"finish_reason\"");
    const std::string message = first.body.substr(begin, end - begin);

    const ClientAnswer next = f.ask_at(
        clients[0].path,
        R"({"model":"m","max_tokens":64,"messages":[{"role":"user","content":"Hi"},)" + message +
            R"(,{"role":"tool","tool_call_id":"toolu_1","content":"a cat"}]})"
    );

    EXPECT_EQ(next.status, 200) << next.body;
    EXPECT_TRUE(says(
        f.engines[0]->requests.at(1).body,
        R"({"role":"assistant","content":[{"type":"thinking","thinking":"Look closely.",)"
        R"("signature":"EqQB"},{"type":"redacted_thinking","data":"EmwK"},)"
        R"({"type":"text","text":"A cat."},{"type":"thinking","thinking":"Sure?",)"
        R"("signature":"ErUB"},{"type":"tool_use","id":"toolu_1","name":"look",)"
        R"("input":{"x":1.0}}]})"
    )) << f.engines[0]->requests.at(1).body;
}

TEST(DialectLosses, AnAnswerWhoseHeadersNameThemIsNotGivenAgain) {
    Fixture f;
    f.add_engine(
        {.content_type = "application/json", .pieces = {recording("response/native/chat.json")}}
    );
    f.routes[0].endpoint.cached_percent = 50;
    f.apply_routes();
    const std::string body =
        R"({"model":"m","max_tokens":64,"temperature":0,"messages":[{"role":"user","content":"Hi"}]})";
    const http::Headers headers{{"x-penstock-unsupported", "drop"}, {"x-penstock-cache", "on"}};

    for (int i = 0; i < 2; ++i) {
        const ClientAnswer answer = f.ask_at("/v1/messages", body, headers);

        EXPECT_EQ(answer.status, 200) << answer.body;
        EXPECT_EQ(answer.headers.get("x-penstock-cache"), "miss");
        EXPECT_FALSE(answer.headers.get("x-penstock-dropped").empty());
    }
    EXPECT_EQ(f.engines[0]->requests.size(), 2U);
}

// ---- errors within a stream ----

struct Failure {
    const char* engine;  // what it sends after its first text
    const char* anthropic;
    const char* openai;
};
const std::vector<Failure> failures{
    {"overloaded_error", R"("type":"overloaded_error")", R"("code":"overloaded")"},
    {"rate_limit_error", R"("type":"rate_limit_error")", R"("code":"rate_limit_exceeded")"},
    {"timeout_error", R"("type":"timeout_error")", R"("code":"upstream_timeout")"},
    {"invalid_request_error", R"("type":"invalid_request_error")", R"("code":"invalid_request")"},
    {"authentication_error", R"("type":"api_error")", R"("code":"upstream_error")"},
    {"api_error", R"("type":"api_error")", R"("code":"upstream_error")"},
};

TEST(DialectLosses, AnErrorWithinAStreamKeepsItsClass) {
    for (const Failure& failure : failures) {
        SCOPED_TRACE(failure.engine);
        Fixture chat;
        chat.add_engine(
            {.pieces =
                 {"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n"
                  "data: {\"error\":{\"message\":\"no\",\"type\":\"" +
                  std::string(failure.engine) + "\"}}\n\n"}}
        );
        Fixture anthropic;
        anthropic.add_engine(
            {.pieces =
                 {"event: message_start\ndata: {\"type\":\"message_start\",\"message\":{}}\n\n"
                  "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,"
                  "\"content_block\":{\"type\":\"text\",\"text\":\"a\"}}\n\n"
                  "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"" +
                  std::string(failure.engine) + "\",\"message\":\"no\"}}\n\n"}},
            "m", "anthropic"
        );

        const ClientAnswer to_anthropic = chat.ask_at(clients[2].path, clients[2].streamed);
        const ClientAnswer to_chat = anthropic.ask_at(clients[0].path, clients[0].streamed);
        const ClientAnswer to_responses = anthropic.ask_at(clients[1].path, clients[1].streamed);
        const ClientAnswer to_ollama = anthropic.ask_at(clients[3].path, clients[3].streamed);

        EXPECT_TRUE(says(to_anthropic.body, failure.anthropic)) << to_anthropic.body;
        EXPECT_TRUE(says(to_chat.body, failure.openai)) << to_chat.body;
        EXPECT_TRUE(says(to_responses.body, failure.openai)) << to_responses.body;
        EXPECT_TRUE(says(to_ollama.body, R"({"error":"the engine failed: no"})")) << to_ollama.body;
    }
}

}  // namespace
}  // namespace penstock::gateway
