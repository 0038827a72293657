// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "gateway/gateway_fixture.h"
#include "routing/call_meter.h"

// Streams of engines of each protocol, whole and cut, before clients of each dialect.
namespace penstock::gateway {
namespace {

struct Client {
    const char* name;
    const char* path;
    const char* body;
    const char* end;    // what says that the answer is over
    const char* error;  // what says that it broke
};
const std::vector<Client> clients{
    {"chat", "/v1/chat/completions",
     R"({"model":"m","max_tokens":64,"stream":true,"messages":[{"role":"user","content":"Hi"}]})",
     "[DONE]", R"({"error":{)"},
    {"responses", "/v1/responses",
     R"({"model":"m","max_output_tokens":64,"stream":true,"input":"Hi"})",
     R"("type":"response.completed")", R"("type":"error")"},
    {"anthropic", "/v1/messages",
     R"({"model":"m","max_tokens":64,"stream":true,"messages":[{"role":"user","content":"Hi"}]})",
     R"("type":"message_stop")", R"("type":"error")"},
    {"ollama", "/api/chat", R"({"model":"m","messages":[{"role":"user","content":"Hi"}]})",
     R"("done":true)", R"({"error":)"},
};

struct Engine {
    const char* protocol;
    const char* file;
    const char* content_type;
};
const std::vector<Engine> engines{
    {"openai", "chat.sse", "text/event-stream"},
    {"anthropic", "anthropic.sse", "text/event-stream"},
    {"ollama", "ollama.ndjson", "application/x-ndjson"},
};

std::string recording(const Engine& engine) {
    std::ifstream file(
        "../dialects/golden/convert/stream/tools/" + std::string(engine.file), std::ios::binary
    );
    EXPECT_TRUE(file) << engine.file;
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

bool says(const std::string& body, std::string_view what) {
    std::string text = body;
    std::erase(text, ' ');
    return text.find(what) != std::string::npos;
}

const CallRecord& record_of(Fixture& f, const ClientAnswer& answer) {
    const auto id = RequestId::parse(answer.headers.get("x-penstock-call"));
    EXPECT_TRUE(id && f.server.records.contains(*id)) << answer.body;
    return f.server.records.at(*id);
}

TEST(DialectStreams, EachEngineIsToldToEachClientAndSettledAsReported) {
    for (const Engine& engine : engines) {
        Fixture f;
        f.add_engine(
            {.content_type = engine.content_type, .pieces = {recording(engine)}}, "m",
            engine.protocol
        );
        for (std::size_t i = 0; i < clients.size(); ++i) {
            SCOPED_TRACE(std::string(engine.protocol) + " to " + clients[i].name);
            const ClientAnswer answer = f.ask_at(clients[i].path, clients[i].body);

            EXPECT_EQ(answer.status, 200) << answer.body;
            EXPECT_FALSE(answer.cut);
            EXPECT_TRUE(says(answer.body, clients[i].end)) << answer.body;
            EXPECT_FALSE(says(answer.body, R"("model":"engine")")) << answer.body;
            f.wait_for_records(i + 1);
            const CallRecord& call = record_of(f, answer);
            EXPECT_EQ(call.end_reason, EndReason::done);
            EXPECT_EQ(call.basis, UsageBasis::upstream);
            const TokenCounts& t = call.tokens;
            EXPECT_EQ(t.input_fresh.value_or(0) + t.cache_read.value_or(0), 10);
            EXPECT_EQ(t.output_visible, std::string(engine.protocol) == "ollama" ? 5 : 15);
        }
    }
}

// Not at every byte, which takes a minute; a prime meets all places within an event.
constexpr std::size_t kStep = 11;

void expect_honest_cuts(const Engine& engine, const Client& client) {
    const std::string stream = recording(engine);
    Fixture f;
    f.add_engine({.content_type = engine.content_type}, "m", engine.protocol);
    std::vector<ClientAnswer> answers;
    std::size_t asked = 0;
    for (std::size_t at = 0; at < stream.size(); at += kStep) {
        f.engines[0]->script.pieces = {stream.substr(0, at)};
        f.engines[0]->script.end = EngineScript::End::cut;
        answers.push_back(f.ask_at(client.path, client.body));
        ++asked;
        // New endpoints now and then keep the breaker closed.
        if (asked % 4 == 0) f.renew_endpoints();
    }
    f.wait_for_records(asked);
    ExactMoney before;
    for (std::size_t i = 0; i < answers.size() && !::testing::Test::HasFailure(); ++i) {
        const ClientAnswer& answer = answers[i];
        const CallRecord& call = record_of(f, answer);
        const bool whole = call.end_reason == EndReason::done;
        SCOPED_TRACE(
            std::string(engine.protocol) + " to " + client.name + " cut at " +
            std::to_string(kStep * i) + "\n" + answer.body
        );
        EXPECT_EQ(says(answer.body, client.end), whole);
        // Nothing was said yet: the client is told with a status instead of a cut stream.
        const bool unsaid = answer.status == 502;
        EXPECT_EQ(says(answer.body, unsaid ? R"("error")" : client.error), !whole);
        EXPECT_EQ(answer.cut, !whole && !unsaid);
        const ExactMoney charge =
            *routing::charge_of(call.tokens, {call.price_input, call.price_output});
        EXPECT_GE(charge, before);
        if (unsaid) EXPECT_EQ(charge, ExactMoney());
        before = charge;
    }
}

TEST(DialectStreams, AreHonestAboutCutsOfAnOpenAiEngine) {
    for (const Client& client : clients) expect_honest_cuts(engines[0], client);
}
TEST(DialectStreams, AreHonestAboutCutsOfAnAnthropicEngine) {
    for (const Client& client : clients) expect_honest_cuts(engines[1], client);
}
TEST(DialectStreams, AreHonestAboutCutsOfAnOllamaEngine) {
    for (const Client& client : clients) expect_honest_cuts(engines[2], client);
}

TEST(DialectStreams, AnErrorOfTheEngineIsToldInTheClientsWords) {
    Fixture f;
    f.add_engine(
        {.pieces = {"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n"
                    "data: {\"error\":{\"message\":\"out of memory\"}}\n\n"}}
    );

    const ClientAnswer answer = f.ask_at(clients[2].path, clients[2].body);

    EXPECT_TRUE(answer.cut);
    EXPECT_NE(
        answer.body.find(
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":"
            "\"the engine failed: out of memory\"}}\n\n"
        ),
        std::string::npos
    ) << answer.body;
}

// ---- a call of a tool that is told when it is over ----

constexpr int kDeltas = 21;

std::vector<std::string> call_deltas() {
    std::vector<std::string> pieces{
        R"(data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","type":)"
        R"("function","function":{"name":"find","arguments":"{\"q\":\""}}]}}]})"
        "\n\n"
    };
    for (int i = 1; i < kDeltas; ++i)
        pieces.emplace_back(
            R"(data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":)"
            R"({"arguments":"x"}}]}}]})"
            "\n\n"
        );
    return pieces;
}

std::vector<std::string> whole_call(const std::string& usage) {
    std::vector<std::string> pieces = call_deltas();
    pieces.emplace_back(
        R"(data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":)"
        R"({"arguments":"\"}"}}]}}]})"
        "\n\n"
    );
    pieces.emplace_back(R"(data: {"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]})"
                        "\n\n");
    if (!usage.empty()) pieces.push_back(R"(data: {"choices":[],"usage":)" + usage + "}\n\n");
    pieces.emplace_back("data: [DONE]\n\n");
    return pieces;
}

TEST(DialectStreams, DeltasOfACallThatOllamasClientsNeverGotAreNotCharged) {
    for (const Client& client : clients) {
        SCOPED_TRACE(client.name);
        Fixture f;
        f.add_engine({.pieces = call_deltas(), .end = EngineScript::End::cut});

        const ClientAnswer answer = f.ask_at(client.path, client.body);

        const bool whole_only = std::string_view(client.name) == "ollama";
        EXPECT_EQ(says(answer.body, "find"), !whole_only) << answer.body;
        f.wait_for_records(1);
        EXPECT_EQ(f.server.records.begin()->second.tokens.output_visible, whole_only ? 0 : kDeltas);
    }
}

TEST(DialectStreams, ACallThatOllamasClientsGotIsCountedByItsDeltas) {
    for (const char* const usage : {"", R"({"prompt_tokens":9,"completion_tokens":15})"}) {
        SCOPED_TRACE(usage);
        Fixture f;
        f.add_engine({.pieces = whole_call(usage)});

        const ClientAnswer answer = f.ask_at(clients[3].path, clients[3].body);

        EXPECT_TRUE(says(answer.body, R"("name":"find")")) << answer.body;
        f.wait_for_records(1);
        EXPECT_EQ(
            f.server.records.begin()->second.tokens.output_visible, *usage == 0 ? kDeltas + 1 : 15
        );
    }
}

TEST(DialectStreams, AReportWithinACallCoversTheDeltasThatAreKeptBack) {
    Fixture f;
    std::vector<std::string> pieces = call_deltas();
    pieces.emplace_back(R"(data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":15}})"
                        "\n\n");
    const std::vector<std::string> all = whole_call("");
    pieces.insert(pieces.end(), all.end() - 2, all.end());
    pieces[kDeltas - 1] =
        R"(data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":)"
        R"({"arguments":"\"}"}}]}}]})"
        "\n\n";
    f.add_engine({.pieces = std::move(pieces)});

    EXPECT_EQ(f.ask_at(clients[3].path, clients[3].body).status, 200);

    f.wait_for_records(1);
    EXPECT_EQ(f.server.records.begin()->second.tokens.output_visible, 15);
}

}  // namespace
}  // namespace penstock::gateway
