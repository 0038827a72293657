// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "dialects/json_tree.h"
#include "gateway/gateway_fixture.h"

// Clients of each dialect before engines of each protocol.
namespace penstock::gateway {
namespace {

using dialects::Json;

const std::string messages =
    R"({"model":"m","max_tokens":50,"messages":[{"role":"user","content":"hello there"}])";
const std::string responses = R"({"model":"m","max_output_tokens":50,"input":"hello there")";
const std::string ollama =
    R"({"model":"m","messages":[{"role":"user","content":"hello there"}],"stream":)";
const std::string chat =
    R"({"model":"m","max_tokens":50,"messages":[{"role":"user","content":"hello there"}])";

EngineScript json(std::string body, int status = 200) {
    return {.status = status, .content_type = "application/json", .pieces = {std::move(body)}};
}
EngineScript chat_engine() {
    return json(
        R"({"id":"c","object":"chat.completion","model":"upstream-model","choices":[{"index":0,)"
        R"("message":{"role":"assistant","content":"Hi!"},"finish_reason":"stop"}],)"
        R"("usage":{"prompt_tokens":10,"completion_tokens":3,"total_tokens":13,)"
        R"("prompt_tokens_details":{"cached_tokens":4}}})"
    );
}
EngineScript anthropic_engine() {
    return json(
        R"({"id":"msg_x","type":"message","role":"assistant","model":"upstream-model","content":)"
        R"([{"type":"text","text":"Hi!"}],"stop_reason":"end_turn","stop_sequence":null,"usage":)"
        R"({"input_tokens":6,"cache_read_input_tokens":4,"cache_creation_input_tokens":5,)"
        R"("cache_creation":{"ephemeral_5m_input_tokens":2,"ephemeral_1h_input_tokens":3},)"
        R"("output_tokens":3}})"
    );
}
EngineScript ollama_engine() {
    return json(R"({"model":"upstream-model","created_at":"2026-01-02T03:04:05Z","message":)"
                R"({"role":"assistant","content":"Hi!"},"done_reason":"stop","done":true,)"
                R"("prompt_eval_count":10,"eval_count":3})");
}

std::string number(const std::optional<std::int64_t>& count) {
    return count ? std::to_string(*count) : "-";
}

// "fresh+read+write5m+write1h out visible"
std::string settled(Fixture& f, std::size_t count = 1) {
    f.wait_for_records(count);
    const TokenCounts& t = f.server.records.rbegin()->second.tokens;
    return number(t.input_fresh) + "+" + number(t.cache_read) + "+" + number(t.cache_write_5m) +
           "+" + number(t.cache_write_1h) + " out " + number(t.output_visible);
}

std::string text_at(const std::string& body, const std::vector<std::string_view>& path) {
    Result<Json> value = dialects::parse_json(body);
    if (!value) return "not JSON: " + body;
    const Json* at = &*value;
    for (const std::string_view key : path) {
        at = key == "0" ? at->if_array()->data() : at->find(key);
        if (at == nullptr) return "no " + std::string(key) + " in " + body;
    }
    return dialects::print_json(*at);
}

const http::Request& asked(const Fixture& f) { return f.engines[0]->requests.at(0); }

TEST(DialectCalls, AnAnthropicClientIsServedByAnOpenAiEngine) {
    Fixture f;
    f.add_engine(chat_engine());

    const ClientAnswer answer = f.ask_at("/v1/messages", messages + "}");

    EXPECT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(text_at(answer.body, {"content", "0", "text"}), R"("Hi!")");
    EXPECT_EQ(text_at(answer.body, {"model"}), R"("m")");
    EXPECT_EQ(text_at(answer.body, {"stop_reason"}), R"("end_turn")");
    EXPECT_EQ(text_at(answer.body, {"usage", "cache_read_input_tokens"}), "4");
    EXPECT_EQ(answer.headers.get("x-penstock-cost"), "0.000016");
    EXPECT_EQ(asked(f).path, "/v1/chat/completions");
    EXPECT_EQ(
        asked(f).body,
        R"({"model":"upstream-model","messages":[{"role":"user","content":"hello there"}],)"
        R"("max_tokens":50})"
    );
    EXPECT_EQ(asked(f).headers.get("Authorization"), "Bearer provider-secret");
    EXPECT_EQ(settled(f), "6+4+-+- out 3");
}

TEST(DialectCalls, AnAnthropicClientBeforeItsOwnEngineKeepsItsBytes) {
    Fixture f;
    f.add_engine(anthropic_engine(), "m", "anthropic");

    const ClientAnswer answer = f.ask_at(
        "/v1/messages", messages + R"( , "top_k" : 1.0,"never_heard_of":[ ]})",
        {{"anthropic-beta", "b-1"}, {"Cookie", "a=b"}}
    );

    EXPECT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(
        asked(f).body,
        R"({"model":"upstream-model","max_tokens":50,"messages":[{"role":"user","content":)"
        R"("hello there"}] , "top_k" : 1.0,"never_heard_of":[ ]})"
    );
    EXPECT_EQ(asked(f).headers.get("x-api-key"), "provider-secret");
    EXPECT_EQ(asked(f).headers.get("anthropic-version"), "2023-06-01");
    EXPECT_EQ(asked(f).headers.get("anthropic-beta"), "b-1");
    EXPECT_FALSE(asked(f).headers.contains("Cookie"));
    EXPECT_FALSE(asked(f).headers.contains("Authorization"));
    EXPECT_EQ(text_at(answer.body, {"model"}), R"("m")");
    EXPECT_EQ(text_at(answer.body, {"id"}), R"("msg_x")");
    EXPECT_EQ(settled(f), "6+4+2+3 out 3");
    // 15 input tokens at 1 and 3 output tokens at 2 yuan per million.
    EXPECT_EQ(answer.headers.get("x-penstock-cost"), "0.000021");
}

TEST(DialectCalls, AChatClientIsServedByAnAnthropicEngine) {
    Fixture f;
    f.add_engine(anthropic_engine(), "m", "anthropic");

    const ClientAnswer answer = f.ask(chat + R"(,"stop":"END"})");

    EXPECT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(text_at(answer.body, {"choices", "0", "message", "content"}), R"("Hi!")");
    EXPECT_EQ(text_at(answer.body, {"usage", "prompt_tokens"}), "15");
    EXPECT_EQ(
        asked(f).body,
        R"({"model":"upstream-model","max_tokens":50,"messages":[{"role":"user","content":)"
        R"("hello there"}],"stop_sequences":["END"]})"
    );
}

TEST(DialectCalls, AResponsesClientIsServedByEachEngine) {
    for (const auto& [protocol, script] : std::vector<std::pair<std::string, EngineScript>>{
             {"openai", chat_engine()},
             {"anthropic", anthropic_engine()},
             {"ollama", ollama_engine()}
         }) {
        Fixture f;
        f.add_engine(script, "m", protocol);

        const ClientAnswer answer =
            f.ask_at("/v1/responses", responses + R"(,"instructions":"Be brief."})");

        EXPECT_EQ(answer.status, 200) << protocol << answer.body;
        EXPECT_EQ(text_at(answer.body, {"output", "0", "content", "0", "text"}), R"("Hi!")");
        EXPECT_EQ(text_at(answer.body, {"status"}), R"("completed")");
        EXPECT_EQ(text_at(answer.body, {"instructions"}), R"("Be brief.")");
        EXPECT_EQ(text_at(answer.body, {"usage", "output_tokens"}), "3");
    }
}

TEST(DialectCalls, AnOllamaClientIsServedByEachEngine) {
    for (const auto& [protocol, script] : std::vector<std::pair<std::string, EngineScript>>{
             {"openai", chat_engine()},
             {"anthropic", anthropic_engine()},
             {"ollama", ollama_engine()}
         }) {
        Fixture f;
        f.add_engine(script, "m", protocol);

        const ClientAnswer answer = f.ask_at("/api/chat", ollama + "false}");

        EXPECT_EQ(answer.status, 200) << protocol << answer.body;
        EXPECT_EQ(text_at(answer.body, {"message", "content"}), R"("Hi!")") << protocol;
        EXPECT_EQ(text_at(answer.body, {"model"}), R"("m")");
        EXPECT_EQ(text_at(answer.body, {"eval_count"}), "3");
        EXPECT_EQ(text_at(answer.body, {"done"}), "true");
    }
}

TEST(DialectCalls, AnOllamaEngineIsGivenTheBoundThatTheHoldIsMadeFor) {
    GatewayOptions options;
    options.output_tokens_default = 77;
    Fixture f(options);
    f.add_engine(ollama_engine(), "m", "ollama");

    f.ask_at("/api/chat", ollama + R"(false,"options":{"num_ctx":2048,"num_predict":-1}})");

    EXPECT_EQ(
        asked(f).body,
        R"({"model":"upstream-model","messages":[{"role":"user","content":"hello there"}],)"
        R"("stream":false,"options":{"num_ctx":2048,"num_predict":77}})"
    );
}

TEST(DialectCalls, RefusesByNameWhatTheEngineCannotBeTold) {
    Fixture f;
    f.add_engine(anthropic_engine(), "m", "anthropic");
    const std::string body = chat + R"(,"seed":1,"logit_bias":{"1":2}})";

    const ClientAnswer refused = f.ask(body);
    EXPECT_EQ(refused.status, 400);
    EXPECT_EQ(text_at(refused.body, {"error", "param"}), R"("seed")");
    EXPECT_NE(refused.body.find("'logit_bias'"), std::string::npos) << refused.body;
    EXPECT_TRUE(f.engines[0]->requests.empty());

    const ClientAnswer dropped = f.ask(body, {{"x-penstock-unsupported", "drop"}});
    EXPECT_EQ(dropped.status, 200) << dropped.body;
    EXPECT_EQ(dropped.headers.get("x-penstock-dropped"), "seed, logit_bias");
    EXPECT_EQ(f.ask(body, {{"x-penstock-unsupported", "maybe"}}).status, 400);
    f.wait_for_records(1);
    EXPECT_EQ(f.server.records.size(), 1U) << "what was refused never went out";
}

TEST(DialectCalls, AnEngineOfTheClientsOwnDialectIsPreferred) {
    Fixture f;
    f.add_engine(chat_engine());
    f.add_engine(anthropic_engine(), "m", "anthropic");

    for (int i = 0; i < 8; ++i) EXPECT_EQ(f.ask_at("/v1/messages", messages + "}").status, 200);
    EXPECT_EQ(f.engines[0]->requests.size(), 0U);
    EXPECT_EQ(f.engines[1]->requests.size(), 8U);

    f.engines[1]->script = json("{}", 500);
    EXPECT_EQ(f.ask_at("/v1/messages", messages + "}").status, 200) << "else another one";
    EXPECT_EQ(f.engines[0]->requests.size(), 1U);
}

TEST(DialectCalls, TakesTheKeyAsAnthropicsClientsSendIt) {
    Fixture f;
    f.add_engine(chat_engine());
    f.key.clear();

    EXPECT_EQ(
        f.ask_at(
             "/v1/messages", messages + "}", {{"x-api-key", std::string(f.server.kKey)}}
        ).status,
        200
    );
    const ClientAnswer wrong = f.ask_at("/v1/messages", messages + "}", {{"x-api-key", "sk-no"}});
    EXPECT_EQ(wrong.status, 401);
    EXPECT_EQ(text_at(wrong.body, {"error", "type"}), R"("authentication_error")");
    EXPECT_EQ(text_at(wrong.body, {"type"}), R"("error")");
}

TEST(DialectCalls, TellsErrorsInTheClientsWords) {
    Fixture f;
    f.add_engine(json(R"({"error":{"message":"prompt is too long","type":"context"}})", 400));

    const ClientAnswer anthropic = f.ask_at("/v1/messages", messages + "}");
    EXPECT_EQ(anthropic.status, 400);
    EXPECT_EQ(
        anthropic.body,
        R"({"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long"}})"
    );
    const ClientAnswer plain = f.ask_at("/api/chat", ollama + "false}");
    EXPECT_EQ(plain.body, R"({"error":"prompt is too long"})");

    f.engines[0]->script = json(R"({"error":"slow down"})", 429);
    f.engines[0]->script.headers.set("Retry-After", "7");
    const ClientAnswer busy = f.ask_at("/v1/messages", messages + "}");
    EXPECT_EQ(busy.status, 429);
    EXPECT_EQ(busy.headers.get("Retry-After"), "7");
    EXPECT_EQ(text_at(busy.body, {"error", "type"}), R"("rate_limit_error")");

    EXPECT_EQ(f.ask_at("/v1/messages", R"({"model":"m"})").status, 400);
    const ClientAnswer unknown = f.ask_at(
        "/v1/messages", R"({"model":"x","max_tokens":1,"messages":[{"role":"user","content":"a"}]})"
    );
    EXPECT_EQ(unknown.status, 404);
    EXPECT_EQ(text_at(unknown.body, {"error", "type"}), R"("not_found_error")");
}

TEST(DialectCalls, EmbeddingsPassThroughAndAreCharged) {
    Fixture f;
    f.add_engine(json(
        R"({"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.10,-2e-5]}],)"
        R"("model":"upstream-model","usage":{"prompt_tokens":5,"total_tokens":5}})"
    ));

    const ClientAnswer answer = f.ask_at("/v1/embeddings", R"({"model":"m", "input":["a b","c"]})");

    EXPECT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(
        answer.body,
        R"({"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.10,-2e-5]}],)"
        R"("model":"m","usage":{"cost":0.000005,"prompt_tokens":5,"total_tokens":5}})"
    );
    EXPECT_EQ(asked(f).path, "/v1/embeddings");
    EXPECT_EQ(asked(f).body, R"({"model":"upstream-model", "input":["a b","c"]})");
    EXPECT_EQ(settled(f), "5+-+-+- out 0");
    EXPECT_EQ(answer.headers.get("x-penstock-cost"), "0.000005");
    EXPECT_EQ(f.ask_at("/v1/embeddings", R"({"model":"m"})").status, 400);
}

TEST(DialectCalls, EmbeddingsOfAnOllamaEngineAreToldAsOpenAis) {
    Fixture f;
    f.add_engine(
        json(R"({"model":"upstream-model","embeddings":[[0.10,-2e-5]],"prompt_eval_count":5})"),
        "m", "ollama"
    );

    const ClientAnswer numbers =
        f.ask_at("/v1/embeddings", R"({"model":"m","input":["a b"],"dimensions":2})");
    const ClientAnswer packed =
        f.ask_at("/v1/embeddings", R"({"model":"m","input":["a b"],"encoding_format":"base64"})");
    const ClientAnswer own = f.ask_at("/api/embed", R"({"model":"m","input":"a b"})");

    EXPECT_EQ(
        numbers.body,
        R"({"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.10,-2e-5]}],)"
        R"("model":"m","usage":{"cost":0.000005,"prompt_tokens":5,"total_tokens":5}})"
    );
    EXPECT_EQ(text_at(packed.body, {"data", "0", "embedding"}), R"("zczMPazFp7c=")");
    EXPECT_EQ(own.body, R"({"model":"m","embeddings":[[0.10,-2e-5]],"prompt_eval_count":5})");
    EXPECT_EQ(asked(f).path, "/api/embed");
    EXPECT_EQ(asked(f).body, R"({"model":"upstream-model","input":["a b"],"dimensions":2})");
    EXPECT_EQ(settled(f, 3), "5+-+-+- out 0");
}

TEST(DialectCalls, EmbeddingsOfAnOpenAiEngineAreToldAsOllamas) {
    Fixture f;
    f.add_engine(
        json(R"({"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.10]}],)"
             R"("model":"upstream-model","usage":{"prompt_tokens":5,"total_tokens":5}})")
    );

    const ClientAnswer answer = f.ask_at("/api/embed", R"({"model":"m","input":"a b"})");
    const ClientAnswer refused =
        f.ask_at("/api/embed", R"({"model":"m","input":"a b","keep_alive":"5m"})");

    EXPECT_EQ(answer.body, R"({"model":"m","embeddings":[[0.10]],"prompt_eval_count":5})");
    EXPECT_EQ(
        asked(f).body, R"({"model":"upstream-model","input":"a b","encoding_format":"float"})"
    );
    EXPECT_EQ(refused.status, 400);
    EXPECT_NE(refused.body.find("'keep_alive'"), std::string::npos) << refused.body;
}

TEST(DialectCalls, ListsModelsForAnthropicsClients) {
    Fixture f;
    f.add_engine(chat_engine(), "a");
    f.add_engine(chat_engine(), "b");
    f.add_engine(chat_engine(), "c");
    const auto list = [&](const std::string& query) {
        http::ClientRequest request{.method = "GET", .url = f.front->url() + "/v1/models" + query};
        request.headers.add("x-api-key", f.key);
        request.headers.add("anthropic-version", "2023-06-01");
        const Result<http::ClientResponse> answer =
            f.runtime.block_on(f.client.send(std::move(request), io::Deadline::after(10s)));
        return answer ? ClientAnswer{.status = answer->status, .headers = {}, .body = answer->body}
                      : ClientAnswer{.body = to_string(answer.error())};
    };
    const auto page = [&](const std::string& query) {
        const std::string body = list(query).body;
        return text_at(body, {"first_id"}) + " " + text_at(body, {"last_id"}) + " " +
               text_at(body, {"has_more"});
    };

    EXPECT_EQ(page(""), R"("a" "c" false)");
    EXPECT_EQ(page("?limit=2"), R"("a" "b" true)");
    EXPECT_EQ(page("?limit=2&after_id=b"), R"("c" "c" false)");
    EXPECT_EQ(page("?limit=1&before_id=c"), R"("b" "b" true)");
    EXPECT_EQ(page("?after_id=c"), "null null false");
    const ClientAnswer wrong = list("?limit=0");
    EXPECT_EQ(wrong.status, 400);
    EXPECT_EQ(text_at(wrong.body, {"error", "type"}), R"("invalid_request_error")");
    EXPECT_EQ(text_at(list("").body, {"data", "0", "type"}), R"("model")");
    EXPECT_EQ(text_at(list("/b").body, {"display_name"}), R"("b")");
    EXPECT_EQ(text_at(list("/x").body, {"error", "type"}), R"("not_found_error")");
    EXPECT_EQ(text_at(f.ask_path("GET", "/v1/models").body, {"object"}), R"("list")");
}

TEST(DialectCalls, ShowsAModelToOllamasClients) {
    Fixture f;
    f.add_engine(chat_engine(), "b/model");

    const ClientAnswer shown = f.ask_at("/api/show", R"({"model":"b/model"})");
    const ClientAnswer unknown = f.ask_at("/api/show", R"({"name":"x"})");

    EXPECT_EQ(shown.status, 200);
    EXPECT_EQ(text_at(shown.body, {"model_info"}), "{}");
    EXPECT_EQ(unknown.status, 404);
    EXPECT_EQ(text_at(unknown.body, {"error"}).substr(0, 1), "\"");
    EXPECT_EQ(f.ask_at("/api/show", "{}").status, 400);
}

TEST(DialectCalls, CountsTokensByTheEngineOrEstimatesThem) {
    Fixture f;
    f.add_engine(json(R"({"input_tokens":12})"), "m", "anthropic");
    f.add_engine(chat_engine(), "n");
    const std::string rest = R"(,"messages":[{"role":"user","content":"hello there!"}]})";

    EXPECT_EQ(
        f.ask_at("/v1/messages/count_tokens", R"({"model":"m")" + rest).body,
        R"({"input_tokens":12})"
    );
    EXPECT_EQ(asked(f).path, "/v1/messages/count_tokens");
    const ClientAnswer estimated = f.ask_at("/v1/messages/count_tokens", R"({"model":"n")" + rest);
    EXPECT_EQ(estimated.body, R"({"input_tokens":3})");
    EXPECT_EQ(estimated.headers.get("x-penstock-basis"), "estimated");
    const std::string with_tool = std::string(rest).insert(
        rest.size() - 1, R"(,"tools":[{"name":"f","description":")" + std::string(600, 'x') +
                             R"(","input_schema":{}}])"
    );
    const std::string more =
        f.ask_at("/v1/messages/count_tokens", R"({"model":"n")" + with_tool).body;
    EXPECT_GT(more.size(), estimated.body.size()) << more << " counts the tools as well";
    EXPECT_TRUE(f.engines[1]->requests.empty());
}

TEST(DialectCalls, ListsModelsForOllamasClients) {
    Fixture f;
    f.add_engine(chat_engine(), "b/model");

    const ClientAnswer answer = f.ask_path("GET", "/api/tags");

    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(text_at(answer.body, {"models", "0", "name"}), R"("b/model")");
}

TEST(DialectCalls, RefusesWhatOnlyAnAnswerThatIsNotKeptCouldServe) {
    Fixture f;
    f.add_engine(chat_engine());

    const ClientAnswer answer =
        f.ask_at("/v1/responses", responses + R"(,"previous_response_id":"resp_unknown"})");

    EXPECT_EQ(answer.status, 400);
    EXPECT_EQ(text_at(answer.body, {"error", "param"}), R"("previous_response_id")");
}

}  // namespace
}  // namespace penstock::gateway
