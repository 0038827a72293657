// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "gateway/gateway_fixture.h"

namespace penstock::gateway {
namespace {

constexpr Duration kBeforeTheCut = 2ms;

}  // namespace

EngineScript whole_answer() {
    return {
        .content_type = "application/json",
        .pieces =
            {R"({"id":"c","object":"chat.completion","model":"upstream-model","choices":[{"index":0,"message":)",
             R"({"role":"assistant","content":"Hi!"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,)",
             R"("completion_tokens":3,"total_tokens":13,"prompt_tokens_details":{"cached_tokens":4}}})"
            }
    };
}

ScriptedEngine::ScriptedEngine(io::Runtime& runtime, EngineScript answer)
    : script(std::move(answer)), runtime_(runtime), told_(runtime.executor()) {
    for (const char* path :
         {"/v1/chat/completions", "/v1/messages", "/v1/messages/count_tokens", "/api/chat",
          "/v1/embeddings", "/api/embed"})
        router_.add("POST", path, [this](http::Request r) { return serve(std::move(r)); });
    router_.add("GET", "/metrics", [this](http::Request r) { return tell_metrics(std::move(r)); });
    server_ = std::make_unique<http::Server>(runtime_, router_, http::ServerOptions{});
    EXPECT_TRUE(server_->start());
}

io::Task<void> ScriptedEngine::stop() { return server_->stop(io::Deadline::after(0s)); }

io::Task<http::Response> ScriptedEngine::tell_metrics(http::Request request) {
    ++metrics_asked;
    metrics_key = request.headers.get("Authorization");
    co_return metrics ? http::Response::text(200, *metrics) : http::Response::empty(404);
}

io::Task<http::Response> ScriptedEngine::serve(http::Request request) {
    http::ClientWatch client = request.client;
    requests.push_back(std::move(request));
    EngineScript answer = script;
    if (!before.empty()) {
        answer = std::move(before.front());
        before.pop_front();
    }
    if (answer.silent) {
        co_await client.gone();
        ++answers_abandoned;
    }
    http::Response response{.status = answer.status, .headers = answer.headers, .body = {}};
    response.headers.set("Content-Type", answer.content_type);
    response.body = [this, client, answer = std::move(answer)](http::BodyWriter writer) {
        return write_answer(answer, writer, client);
    };
    co_return response;
}

io::Task<void> ScriptedEngine::write_answer(
    EngineScript answer, http::BodyWriter writer, http::ClientWatch client
) {
    static_cast<void>(co_await writer.write({}));
    for (const std::string& piece : answer.pieces) {
        if (!co_await writer.write(piece)) {
            ++answers_abandoned;
            co_return;
        }
    }
    if (answer.end == EngineScript::End::hang) {
        co_await client.gone();
        ++answers_abandoned;
    }
    if (answer.end == EngineScript::End::when_told) {
        const std::optional<bool> told = co_await client.unless_gone(told_.wait());
        if (told && script.rest.empty()) writer.abort();
        for (const std::string& piece : std::vector(script.rest))
            if (told) static_cast<void>(co_await writer.write(piece));
        if (!told) ++answers_abandoned;
    }
    if (answer.end == EngineScript::End::cut) {
        // What was written reaches the gateway before the cut does.
        co_await io::sleep_for(kBeforeTheCut);
        writer.abort();
    }
}

std::string tokenizer_file() {
    std::ifstream file(PENSTOCK_TOKENIZER_TESTDATA "/byte_level.tokenizer.json");
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

}  // namespace penstock::gateway
