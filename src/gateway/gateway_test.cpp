// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>

#include "gateway/gateway_fixture.h"
#include "gateway/key_cache.h"
#include "io/task_group.h"

namespace penstock::gateway {
namespace {

using End = EngineScript::End;

constexpr std::string_view kStreamedChat =
    R"({"model":"m","messages":[{"role":"user","content":"hello there, engine"}],"max_tokens":50,"stream":true})";

std::string delta(std::string_view content) {
    return R"(data: {"id":"c","model":"upstream-model","choices":[{"index":0,"delta":{"content":")" +
           std::string(content) + "\"},\"finish_reason\":null}]}\n\n";
}
const std::string kRole =
    "data: "
    "{\"id\":\"c\",\"model\":\"upstream-model\",\"choices\":[{\"index\":0,\"delta\":{\"role\":"
    "\"assistant\",\"content\":null},\"finish_reason\":null}]}\n\n";
const std::string kFinish =
    "data: "
    "{\"id\":\"c\",\"model\":\"upstream-model\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_"
    "reason\":\"stop\"}]}\n\n";
const std::string kUsage =
    "data: "
    "{\"id\":\"c\",\"model\":\"upstream-model\",\"choices\":[],\"usage\":{\"prompt_tokens\":10,"
    "\"completion_tokens\":3,\"total_tokens\":13}}\n\n";
const std::string kDone = "data: [DONE]\n\n";

EngineScript stream(std::vector<std::string> pieces, End end = End::whole) {
    return {.pieces = std::move(pieces), .end = end};
}

std::string with_client_model(std::string text) {
    const std::string from = "upstream-model";
    for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from))
        text.replace(at, from.size(), "m");
    return text;
}

std::string shown(const CallRecord& call) {
    const auto number = [](const std::optional<std::int64_t>& n) {
        return n ? std::to_string(*n) : "-";
    };
    const char* const bases[] = {"upstream", "counted", "estimated", "metered"};
    const char* const ends[] = {"done",    "client_gone",   "upstream_error",
                                "timeout", "gateway_crash", "refused"};
    return std::string(ends[static_cast<int>(call.end_reason)]) + " " +
           std::to_string(call.status) + " in " + number(call.tokens.input_fresh) + "+" +
           number(call.tokens.cache_read) + " out " + number(call.tokens.output_visible) + " " +
           bases[static_cast<int>(call.basis)];
}

std::string only_record(Fixture& f) {
    f.wait_for_records(1);
    EXPECT_EQ(f.server.records.size(), 1U);
    return f.server.records.empty() ? "none" : shown(f.server.records.begin()->second);
}

TEST(Gateway, AnswersAWholeChatAndSettlesWhatTheEngineReported) {
    Fixture f;
    f.add_engine(whole_answer());

    const ClientAnswer answer = f.ask(std::string(kChat));

    EXPECT_EQ(answer.status, 200) << answer.body;
    EXPECT_NE(answer.body.find(R"("model":"m")"), std::string::npos) << answer.body;
    EXPECT_EQ(answer.headers.get("x-penstock-provider"), "provider-1");
    EXPECT_EQ(answer.headers.get("x-penstock-site"), "site-1");
    EXPECT_EQ(answer.headers.get("x-penstock-cost"), "0.000016");
    EXPECT_EQ(only_record(f), "done 200 in 6+4 out 3 upstream");
    const CallRecord& call = f.server.records.begin()->second;
    EXPECT_EQ(to_string(call.id), answer.headers.get("x-penstock-call"));
    EXPECT_EQ(call.price_version, 7);
    EXPECT_EQ(call.model, "m");
    EXPECT_TRUE(call.ttft_us);
}

TEST(Gateway, SendsTheEngineItsOwnKeyAndNothingOfTheClients) {
    Fixture f;
    f.add_engine(whole_answer());

    f.ask(
        std::string(kChat), {{"x-penstock-timeout", "30s"}, {"Cookie", "a=b"}, {"X-Custom", "1"}}
    );

    const http::Request& seen = f.engines[0]->requests.at(0);
    EXPECT_EQ(seen.headers.get("Authorization"), "Bearer provider-secret");
    EXPECT_FALSE(seen.headers.contains("Cookie"));
    EXPECT_FALSE(seen.headers.contains("X-Custom"));
    EXPECT_FALSE(seen.headers.contains("x-penstock-timeout"));
    EXPECT_TRUE(seen.headers.contains("traceparent"));
    EXPECT_EQ(
        seen.body,
        R"({"model":"upstream-model","messages":[{"role":"user","content":"hello there, engine"}],"max_tokens":50})"
    );
}

TEST(Gateway, StreamsEveryEventAndLeavesOutTheUsageItAskedFor) {
    Fixture f;
    f.add_engine(stream({kRole, delta("a"), delta("b"), delta("c"), kFinish, kUsage, kDone}));

    const ClientAnswer answer = f.ask(std::string(kStreamedChat));

    EXPECT_EQ(
        answer.body,
        with_client_model(kRole + delta("a") + delta("b") + delta("c") + kFinish + kDone)
    );
    EXPECT_FALSE(answer.cut);
    EXPECT_EQ(only_record(f), "done 200 in 10+- out 3 upstream");
    EXPECT_NE(f.engines[0]->requests.at(0).body.find(R"("include_usage":true)"), std::string::npos);
}

TEST(Gateway, KeepsTheUsageChunkForAClientThatAskedForIt) {
    Fixture f;
    f.add_engine(stream({delta("a"), kFinish, kUsage, kDone}));
    std::string body(kStreamedChat);
    body.insert(body.size() - 1, R"(,"stream_options":{"include_usage":true})");
    std::string told = with_client_model(delta("a") + kFinish + kUsage + kDone);
    EXPECT_EQ(f.ask(body).body, told.insert(told.find("\"prompt_t"), R"("cost":0.000016,)"));
}

TEST(Gateway, ReadsUsageWhereverTheEnginePutsIt) {
    const std::string with_finish =
        "data: "
        "{\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":10,"
        "\"completion_tokens\":3}}\n\n";
    const std::string null_usage =
        "data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}],\"usage\":null}\r\n\r\n";
    const std::vector<std::vector<std::string>> streams = {
        {delta("a"), kUsage, kFinish, kDone},
        {null_usage, with_finish, kDone},
        {delta("a"), kFinish, ": comment\n\n", kUsage, kDone},
        {delta("a"), kFinish, kUsage},
    };
    Fixture f;
    f.add_engine({});
    for (const auto& pieces : streams) {
        f.engines[0]->script = stream(pieces);
        f.server.records.clear();
        EXPECT_FALSE(f.ask(std::string(kStreamedChat)).cut);
        EXPECT_EQ(only_record(f), "done 200 in 10+- out 3 upstream") << pieces[1];
    }
}

TEST(Gateway, CountsPiecesWhenTheEngineTellsNoUsage) {
    Fixture f;
    f.add_engine(stream({kRole, delta("a"), delta("b"), kFinish, kDone}));
    EXPECT_FALSE(f.ask(std::string(kStreamedChat)).cut);
    EXPECT_EQ(only_record(f), "done 200 in 3+- out 2 estimated");
}

TEST(Gateway, TellsTheClientWhenTheEngineDiesAndNeverMakesUpAnEnd) {
    Fixture f;
    f.add_engine(stream({kRole, delta("a"), delta("b")}, End::cut));

    const ClientAnswer answer = f.ask(std::string(kStreamedChat));

    EXPECT_TRUE(answer.cut);
    EXPECT_EQ(answer.body.find("[DONE]"), std::string::npos);
    EXPECT_EQ(answer.body.find("\"stop\""), std::string::npos);
    EXPECT_NE(
        answer.body.find(R"(data: {"error":{"message":"the engine broke off)"), std::string::npos
    ) << answer.body;
    EXPECT_EQ(only_record(f), "upstream_error 200 in 0+- out 2 counted");
}

TEST(Gateway, TakesACleanEndBeforeTheFinishForAFailure) {
    Fixture f;
    f.add_engine(stream({delta("a")}));
    EXPECT_TRUE(f.ask(std::string(kStreamedChat)).cut);
    EXPECT_EQ(only_record(f), "upstream_error 200 in 0+- out 1 counted");
}

TEST(Gateway, PassesTheEnginesOwnErrorEventAndCountsNothingOfIt) {
    Fixture f;
    const std::string error =
        "data: "
        "{\"error\":{\"message\":\"x\"},\"usage\":{\"prompt_tokens\":99,\"completion_tokens\":99}}"
        "\n\n";
    f.add_engine(stream({delta("a"), error, kDone}));
    EXPECT_EQ(f.ask(std::string(kStreamedChat)).body, with_client_model(delta("a")) + error);
    EXPECT_EQ(only_record(f), "upstream_error 200 in 0+- out 1 counted");
}

TEST(Gateway, ChargesPromptAndDeliveredPiecesWhenTheClientLeaves) {
    Fixture f;
    f.add_engine(stream({kRole, delta("a"), delta("b")}, End::hang));
    http::ClientRequest request{.method = "POST", .url = f.front->url() + "/v1/chat/completions"};
    request.headers.add("Authorization", "Bearer " + f.key);
    request.body = std::string(kStreamedChat);
    {
        Result<http::ResponseStream> answer =
            f.runtime.block_on(f.client.open(std::move(request), io::Deadline::after(5s)));
        ASSERT_TRUE(answer);
        std::string body;
        const std::string wanted = with_client_model(kRole + delta("a") + delta("b"));
        while (body.size() < wanted.size())
            body += *f.runtime.block_on(answer->read(io::Deadline::after(5s)));
        EXPECT_EQ(body, wanted);
    }  // the client closes its connection here
    EXPECT_EQ(only_record(f), "client_gone 200 in 3+- out 2 estimated");
    f.wait_until(
        [&] { return f.engines[0]->answers_abandoned == 1; }, "the engine's connection to be closed"
    );
}

TEST(Gateway, ChargesNothingWhenTheClientLeavesBeforeTheFirstToken) {
    Fixture f;
    f.add_engine({.silent = true});
    {
        http::ClientRequest request{
            .method = "POST", .url = f.front->url() + "/v1/chat/completions"
        };
        request.headers.add("Authorization", "Bearer " + f.key);
        request.body = std::string(kChat);
        const auto answer =
            f.runtime.block_on(f.client.open(std::move(request), io::Deadline::after(100ms)));
        EXPECT_FALSE(answer);
    }
    EXPECT_EQ(only_record(f), "client_gone 499 in 0+- out 0 counted");
}

TEST(Gateway, EndsACallAtItsDeadline) {
    Fixture f;
    f.add_engine({.silent = true});
    const ClientAnswer answer = f.ask(std::string(kChat), {{"x-penstock-timeout", "100ms"}});
    EXPECT_EQ(answer.status, 504);
    EXPECT_EQ(only_record(f), "timeout 504 in 0+- out 0 counted");
}

TEST(Gateway, EndsAStreamAtItsDeadlineWithAnErrorEvent) {
    Fixture f;
    f.add_engine(stream({delta("a")}, End::hang));
    const ClientAnswer answer =
        f.ask(std::string(kStreamedChat), {{"x-penstock-timeout", "200ms"}});
    EXPECT_TRUE(answer.cut);
    EXPECT_NE(answer.body.find("deadline_exceeded"), std::string::npos);
    EXPECT_EQ(only_record(f), "timeout 200 in 0+- out 1 counted");
}

TEST(Gateway, TriesAnotherEndpointBeforeTheFirstByte) {
    Fixture f;
    f.add_engine({.status = 503, .content_type = "application/json", .pieces = {"{}"}});
    f.add_engine(whole_answer());
    f.routes.push_back(route_to("http://127.0.0.1:1", "m", 3));  // nothing listens there
    f.apply_routes();
    for (int i = 0; i < 10; ++i) EXPECT_EQ(f.ask(std::string(kChat)).status, 200);
    f.wait_for_records(10);
    for (const auto& [id, call] : f.server.records)
        EXPECT_EQ(shown(call), "done 200 in 6+4 out 3 upstream");
}

TEST(Gateway, TellsAFailureOfTheOnlyEndpoint) {
    Fixture f;
    f.routes.push_back(route_to("http://127.0.0.1:1", "m"));
    f.apply_routes();
    const ClientAnswer answer = f.ask(std::string(kChat));
    EXPECT_EQ(answer.status, 502);
    EXPECT_EQ(
        answer.body,
        R"({"error":{"message":"the engine of provider 'provider-1' cannot be reached","type":"server_error","param":null,"code":"upstream_error"}})"
    );
    EXPECT_EQ(only_record(f), "upstream_error 502 in 0+- out 0 counted");
}

TEST(Gateway, PassesTheEnginesRefusalOfTheClientsMistake) {
    Fixture f;
    const std::string refusal =
        R"({"error":{"message":"context is 100 tokens","type":"invalid_request_error","param":null,"code":"context_length_exceeded"}})";
    f.add_engine({.status = 400, .content_type = "application/json", .pieces = {refusal}});
    const ClientAnswer answer = f.ask(std::string(kChat));
    EXPECT_EQ(answer.status, 400);
    EXPECT_EQ(answer.body, refusal);
    EXPECT_EQ(only_record(f), "refused 400 in 0+- out 0 counted");
}

TEST(Gateway, PassesRetryAfterOfABusyEngine) {
    Fixture f;
    f.add_engine(
        {.status = 429,
         .content_type = "text/plain",
         .headers = {{"Retry-After", "7"}},
         .pieces = {"busy"}}
    );
    const ClientAnswer answer = f.ask(std::string(kChat));
    EXPECT_EQ(answer.status, 429);
    EXPECT_EQ(answer.headers.get("Retry-After"), "7");
    EXPECT_NE(answer.body.find("rate_limit_error"), std::string::npos);
}

TEST(Gateway, HidesThatAProviderRefusedThePlatformsKey) {
    Fixture f;
    f.add_engine(
        {.status = 401,
         .content_type = "application/json",
         .pieces = {R"({"error":{"message":"bad key provider-secret"}})"}}
    );
    const ClientAnswer answer = f.ask(std::string(kChat));
    EXPECT_EQ(answer.status, 502);
    EXPECT_EQ(answer.body.find("provider-secret"), std::string::npos);
}

TEST(Gateway, RefusesWhoeverHasNoGoodKey) {
    Fixture f;
    f.add_engine(whole_answer());
    f.key = "sk-unknown";
    EXPECT_EQ(f.ask(std::string(kChat)).status, 401);
    EXPECT_EQ(f.ask(std::string(kChat)).status, 401);
    EXPECT_EQ(f.server.keys_asked, 1);  // the answer is remembered for a moment
    f.key = "";
    const ClientAnswer answer = f.ask(std::string(kChat));
    EXPECT_EQ(answer.status, 401);
    EXPECT_NE(answer.body.find(R"("code":"invalid_api_key")"), std::string::npos);
    EXPECT_TRUE(f.engines[0]->requests.empty());
}

TEST(Gateway, RefusesAKeyWithoutTheScope) {
    Fixture f;
    f.add_engine(whole_answer());
    f.server.may_use_tokens = false;
    EXPECT_EQ(f.ask(std::string(kChat)).status, 403);
}

TEST(Gateway, DropsARevokedKeyWithTheNextRouteTable) {
    Fixture f;
    f.add_engine(whole_answer());
    EXPECT_EQ(f.ask(std::string(kChat)).status, 200);
    f.server.set_routes(f.routes, {to_hex(sha256(ScriptedServer::kKey))});
    f.wait_until(
        [&] { return f.gateway->routes_version() == f.server.routes_version(); }, "the table"
    );
    EXPECT_EQ(f.ask(std::string(kChat)).status, 401);
}

TEST(Gateway, AnswersMistakesInOpenAisShape) {
    Fixture f;
    f.add_engine(whole_answer());
    const ClientAnswer malformed = f.ask("{\"model\":");
    EXPECT_EQ(malformed.status, 400);
    EXPECT_EQ(
        malformed.body,
        R"({"error":{"message":"the body is not valid JSON: the text ends early at byte 9","type":"invalid_request_error","param":null,"code":null}})"
    );
    const ClientAnswer field = f.ask(R"({"model":"m","messages":[{}],"max_tokens":"x"})");
    EXPECT_EQ(field.status, 400);
    EXPECT_NE(field.body.find(R"("param":"max_tokens")"), std::string::npos);
    const ClientAnswer unknown = f.ask(R"({"model":"gpt-unknown","messages":[{}]})");
    EXPECT_EQ(unknown.status, 404);
    EXPECT_NE(unknown.body.find(R"("code":"model_not_found")"), std::string::npos);
    const ClientAnswer path = f.ask_path("POST", "/v1/audio/speech", "{}");
    EXPECT_EQ(path.status, 404);
    EXPECT_NE(path.body.find(R"("code":"unknown_url")"), std::string::npos);
    EXPECT_TRUE(f.engines[0]->requests.empty());
}

TEST(Gateway, RefusesABodyOverTheLimit) {
    Fixture f({.request_body_max = 1000});
    f.add_engine(whole_answer());
    const ClientAnswer answer = f.ask(
        R"({"model":"m","messages":[{"role":"user","content":")" + std::string(2000, 'x') + "\"}]}"
    );
    EXPECT_EQ(answer.status, 413);
    EXPECT_NE(answer.body.find(R"("code":"request_too_large")"), std::string::npos) << answer.body;
}

// A model in the list, of an engine that has prices of input and output alone.
std::string listed(const std::string& model, const std::string& provider) {
    return R"({"id":")" + model + R"(","object":"model","created":0,"owned_by":")" + provider +
           R"(","pricing":{"prompt":"0.000001","input_cache_read":"0.000001",)"
           R"("input_cache_write":"0.000001","input_cache_write_1h":"0.000001",)"
           R"("image_token":"0.000001","audio":"0.000001","completion":"0.000002",)"
           R"("internal_reasoning":"0.000002","audio_output":"0.000002"},"pricing_currency":"CNY",)"
           R"("pricing_fallbacks":{"input_cache_read":"prompt","input_cache_write":"prompt",)"
           R"("input_cache_write_1h":"prompt","image_token":"prompt","audio":"prompt",)"
           R"("internal_reasoning":"completion","audio_output":"completion"}})";
}

TEST(Gateway, ListsTheModelsThatAnEngineIsReadyFor) {
    Fixture f;
    f.add_engine(whole_answer(), "org/model-a");
    f.add_engine(whole_answer(), "model-b");
    EXPECT_EQ(
        f.ask_path("GET", "/v1/models").body, R"({"object":"list","data":[)" +
                                                  listed("model-b", "provider-2") + "," +
                                                  listed("org/model-a", "provider-1") + "]}"
    );
    std::string alone = listed("org/model-a", "provider-1");
    alone.pop_back();
    EXPECT_TRUE(f.ask_path("GET", "/v1/models/org/model-a").body.starts_with(alone));
    EXPECT_EQ(f.ask_path("GET", "/v1/models/none").status, 404);
}

TEST(Gateway, ListsWhatClassesCostAndWhichPriceIsLent) {
    Fixture f;
    f.routes.push_back(route_to("http://127.0.0.1:1", "m"));
    f.routes.back().endpoint.class_prices =
        ClassPrices{.cache_read = *parse_price("0"), .cache_write_5m = *parse_price("1.25")};
    f.apply_routes();
    const std::string body = f.ask_path("GET", "/v1/models/m").body;
    EXPECT_NE(body.find(R"("input_cache_read":"0")"), std::string::npos) << body;
    EXPECT_NE(
        body.find(R"("pricing_fallbacks":{"input_cache_write_1h":"input_cache_write",)"
                  R"("image_token":"prompt","audio":"prompt","internal_reasoning":"completion",)"
                  R"("audio_output":"completion"})"),
        std::string::npos
    ) << body;
}

TEST(Gateway, HonoursThePriceLimitOfACall) {
    Fixture f;
    f.add_engine(whole_answer());
    EXPECT_EQ(f.ask(std::string(kChat), {{"x-penstock-max-output-price", "2.0"}}).status, 200);
    EXPECT_EQ(f.ask(std::string(kChat), {{"x-penstock-max-output-price", "1.99"}}).status, 400);
    EXPECT_EQ(f.ask(std::string(kChat), {{"x-penstock-max-output-price", "cheap"}}).status, 400);
}

TEST(Gateway, RefusesACallThatTheWalletDoesNotCover) {
    Fixture f;
    f.add_engine(whole_answer());
    f.server.wallet =
        Money::micro(1000);  // 50 tokens of output cost 100, about 1,100 bytes of bound 1,100
    const ClientAnswer answer = f.ask(std::string(kChat));
    EXPECT_EQ(answer.status, 429);
    EXPECT_NE(answer.body.find(R"("code":"insufficient_quota")"), std::string::npos);
    EXPECT_EQ(answer.headers.get("x-should-retry"), "false");
    EXPECT_TRUE(f.engines[0]->requests.empty());
}

io::Task<void> ask_into(Fixture* f, std::vector<int>* statuses) {
    const ClientAnswer answer = co_await f->ask_task(std::string(kStreamedChat));
    statuses->push_back(answer.status);
}

TEST(Gateway, NeverPassesTheWalletInAStorm) {
    Fixture f;
    f.add_engine(stream({delta("a"), kFinish, kUsage, kDone}));
    constexpr int kCalls = 200;
    f.server.wallet = Money::micro(20'000);  // the holds of about fifteen calls
    std::vector<int> statuses;
    io::TaskGroup group(f.runtime.executor(), "storm");
    for (int i = 0; i < kCalls; ++i) group.spawn(ask_into(&f, &statuses));
    f.wait_until([&] { return statuses.size() == kCalls; }, "all answers");
    f.runtime.block_on(group.close());

    const auto served = static_cast<std::size_t>(std::ranges::count(statuses, 200));
    EXPECT_GE(served, 10U);
    EXPECT_EQ(
        served + static_cast<std::size_t>(std::ranges::count(statuses, 429)), statuses.size()
    );
    f.wait_for_records(served);
    EXPECT_LE(f.server.granted_most, f.server.wallet);
    EXPECT_EQ(f.server.records.size(), served);
}

TEST(Gateway, CountsWhatEachOrganisationUses) {
    Fixture f;
    f.add_engine(whole_answer());
    f.ask(std::string(kChat));
    f.wait_for_records(1);
    const std::string tenant = "organisation=\"" + to_string(f.server.organisation_id) + "\"";
    const std::string metrics = f.metrics();
    EXPECT_TRUE(
        metrics.contains("penstock_gateway_tenant_calls_total{" + tenant + ",answered=\"yes\"} 1")
    ) << metrics;
    EXPECT_TRUE(metrics.contains(
        "penstock_gateway_tenant_tokens_total{" + tenant + ",gen_ai_token_type=\"input\"} 10"
    ));
    EXPECT_TRUE(metrics.contains(
        "penstock_gateway_tenant_tokens_total{" + tenant + ",gen_ai_token_type=\"output\"} 3"
    ));
}

TEST(Gateway, CountsTokensAndHoldsInItsMetrics) {
    Fixture f;
    f.add_engine(whole_answer());
    f.ask(std::string(kChat));
    f.wait_for_records(1);
    const std::string text = f.metrics();
    EXPECT_NE(
        text.find(R"(penstock_gateway_requests_total{model="m",status="200"} 1)"), std::string::npos
    ) << text;
    EXPECT_NE(
        text.find(R"(penstock_gateway_tokens_total{model="m",class="cache_read"} 4)"),
        std::string::npos
    ) << text;
    EXPECT_NE(
        text.find(R"(penstock_gateway_calls_total{end_reason="done",basis="upstream"} 1)"),
        std::string::npos
    ) << text;
}

}  // namespace
}  // namespace penstock::gateway
