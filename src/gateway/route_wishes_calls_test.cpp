// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "gateway/gateway_fixture.h"
#include "routing/class_prices.h"

// What a request says of its routing, before real sockets and in every dialect.
namespace penstock::gateway {
namespace {

EngineScript json(std::string body, int status = 200) {
    return {.status = status, .content_type = "application/json", .pieces = {std::move(body)}};
}

std::string chat(std::string_view more, std::string_view text = "hello") {
    return R"({"model":"m","max_tokens":50,"messages":[{"role":"user","content":")" +
           std::string(text) + "\"}]" + std::string(more) + "}";
}

// Two engines of two providers.
struct TwoProviders : Fixture {
    TwoProviders() {
        add_engine(whole_answer());
        add_engine(whole_answer());
    }
    std::string provider_of(const ClientAnswer& answer) {
        return answer.status == 200 ? std::string(answer.headers.get("x-penstock-provider"))
                                    : answer.body;
    }
};

TEST(RouteWishes, GoToTheGatewayAlone) {
    Fixture f;
    f.add_engine(whole_answer());

    const ClientAnswer answer =
        f.ask(chat(R"(,"provider":{"only":["provider-1"]},"models":["n"],"session_id":"s")"));

    EXPECT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(
        f.engines[0]->requests.at(0).body,
        R"({"model":"upstream-model","max_tokens":50,"messages":[{"role":"user","content":"hello"}]})"
    );
}

TEST(RouteWishes, ChooseTheProviderInEveryDialect) {
    TwoProviders f;
    const std::string wish = R"(,"provider":{"only":["provider-2"]}})";
    const std::vector<std::pair<std::string, std::string>> calls = {
        {"/v1/chat/completions", R"({"model":"m","messages":[{"role":"user","content":"a"}])"},
        {"/v1/responses", R"({"model":"m","input":"a")"},
        {"/v1/messages", R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"a"}])"
        },
        {"/api/chat", R"({"model":"m","stream":false,"messages":[{"role":"user","content":"a"}])"},
    };
    for (int i = 0; i < 3; ++i)
        for (const auto& [path, body] : calls)
            EXPECT_EQ(f.provider_of(f.ask_at(path, body + wish)), "provider-2") << path;
    EXPECT_TRUE(f.engines[0]->requests.empty());
    for (const http::Request& seen : f.engines[1]->requests)
        EXPECT_FALSE(seen.body.contains("provider")) << seen.body;
}

TEST(RouteWishes, AreRefusedByNameWhereTheyAreNotUnderstood) {
    TwoProviders f;
    const ClientAnswer unknown = f.ask(chat(R"(,"provider":{"nearest":true})"));
    EXPECT_EQ(unknown.status, 400);
    EXPECT_TRUE(unknown.body.contains(R"("param":"provider.nearest")")) << unknown.body;

    const ClientAnswer nobody = f.ask(chat(R"(,"provider":{"only":["provider-9"]})"));
    EXPECT_EQ(nobody.status, 400);
    EXPECT_TRUE(nobody.body.contains(R"("param":"provider")")) << nobody.body;

    const ClientAnswer header = f.ask(chat(""), {{"x-penstock-session", std::string(300, 's')}});
    EXPECT_EQ(header.status, 400);
    EXPECT_TRUE(header.body.contains(R"("param":"x-penstock-session")")) << header.body;
}

TEST(RouteWishes, KeepToWhatSuppliersSayOfThemselves) {
    TwoProviders f;
    f.routes[1].endpoint.quantization = "fp8";
    f.routes[1].endpoint.data_policy = DataPolicy::no_training;
    f.apply_routes();

    EXPECT_EQ(f.provider_of(f.ask(chat(R"(,"provider":{"quantizations":["fp8"]})"))), "provider-2");
    EXPECT_EQ(
        f.provider_of(f.ask(chat(R"(,"provider":{"data_collection":"deny"})"))), "provider-2"
    );
    EXPECT_EQ(f.ask(chat(R"(,"provider":{"zdr":true})")).status, 400);
}

TEST(RouteWishes, HoldPricesOfTheProviderObject) {
    TwoProviders f;
    f.routes[0].endpoint.price_output = Price{500, 0};
    f.apply_routes();
    for (int i = 0; i < 4; ++i)
        EXPECT_EQ(
            f.provider_of(f.ask(chat(R"(,"provider":{"max_price":{"completion":"20"}})"))),
            "provider-2"
        );
}

TEST(RouteWishes, AModelThatFailsIsFollowedByTheNext) {
    Fixture f;
    f.add_engine(json(R"({"error":{"message":"down"}})", 500), "m");
    f.add_engine(whole_answer(), "n");

    const ClientAnswer answer = f.ask(chat(R"(,"models":["n"])"));

    EXPECT_EQ(answer.status, 200) << answer.body;
    EXPECT_TRUE(answer.body.contains(R"("model":"n")")) << answer.body;
    EXPECT_EQ(answer.headers.get("x-penstock-model"), "n");
    f.wait_for_records(2);
    for (const auto& [id, call] : f.server.records)
        if (call.model == "m") EXPECT_EQ(routing::total_tokens(call.tokens), 0);
    EXPECT_TRUE(f.metrics().contains("penstock_gateway_fallbacks_total 1"));
}

TEST(RouteWishes, AnUnknownModelIsFollowedByTheNextInEveryDialect) {
    Fixture f;
    f.add_engine(whole_answer(), "n");
    const ClientAnswer messages = f.ask_at(
        "/v1/messages", R"({"model":"nobody","models":["neither","n"],"max_tokens":9,)"
                        R"("messages":[{"role":"user","content":"a"}]})"
    );
    EXPECT_EQ(messages.status, 200) << messages.body;
    EXPECT_EQ(messages.headers.get("x-penstock-model"), "n");
    EXPECT_FALSE(f.engines[0]->requests.at(0).body.contains("models"));
    EXPECT_EQ(
        f.ask(R"({"model":"x","models":["y"],"messages":[{"role":"user","content":"a"}]})").status,
        404
    );
}

TEST(RouteWishes, AMistakeOfTheClientIsNotFollowedByTheNextModel) {
    Fixture f;
    f.add_engine(json(R"({"error":{"message":"bad","type":"invalid_request_error"}})", 400), "m");
    f.add_engine(whole_answer(), "n");
    EXPECT_EQ(f.ask(chat(R"(,"models":["n"])")).status, 400);
    EXPECT_TRUE(f.engines[1]->requests.empty());
}

TEST(RouteWishes, APromptReturnsToTheEngineThatKnowsItsBeginning) {
    TwoProviders f;
    const std::string beginning(20'000, 'x');
    for (int i = 0; i < 8; ++i)
        EXPECT_EQ(f.ask(chat("", beginning + std::to_string(i))).status, 200);
    EXPECT_TRUE(f.engines[0]->requests.empty() || f.engines[1]->requests.empty());
}

TEST(RouteWishes, ASessionStaysWithItsEngineInEveryDialect) {
    TwoProviders f;
    for (int i = 0; i < 8; ++i) {
        EXPECT_EQ(f.ask(chat("", std::to_string(i)), {{"x-penstock-session", "s"}}).status, 200);
        EXPECT_EQ(f.ask(chat(R"(,"session_id":"s")", std::to_string(i))).status, 200);
        EXPECT_EQ(
            f.ask_at("/v1/responses", R"({"model":"m","input":"a","prompt_cache_key":"s"})").status,
            200
        );
    }
    EXPECT_TRUE(f.engines[0]->requests.empty() || f.engines[1]->requests.empty());
}

TEST(RouteWishes, ADialectThatAParameterCannotCrossIsPassedOverWhereItIsRequired) {
    Fixture f;
    f.add_engine(json("{}"), "m", "ollama");
    f.add_engine(whole_answer(), "m");
    const std::string call =
        R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"a"}],)"
        R"("tools":[{"name":"t","input_schema":{"type":"object"}}],"tool_choice":{"type":"any"})";
    for (int i = 0; i < 6; ++i)
        EXPECT_EQ(
            f.ask_at(
                 "/v1/messages", call + R"(,"provider":{"require_parameters":true}})",
                 {{"x-penstock-unsupported", "drop"}}
            )
                .status,
            200
        );
    EXPECT_TRUE(f.engines[0]->requests.empty());
}

TEST(Suppliers, AreShownWithWhatTheyHaveShown) {
    TwoProviders f;
    f.routes[1].endpoint.quantization = "fp8";
    f.apply_routes();
    for (int i = 0; i < 3; ++i) f.ask(chat(R"(,"provider":{"only":["provider-2"]})"));

    const std::string shown = f.ask_path("GET", "/v1/models/m").body;

    EXPECT_TRUE(shown.contains(
        R"("endpoints":[{"provider_name":"provider-1","site":"site-1","region":"","protocol":"openai","quantization":"unknown","data_policy":"collects","pricing":{)"
    )) << shown;
    EXPECT_TRUE(shown.contains(
        R"("replicas":1,"replicas_ready":1,"measured":{"first_token_ms_p50":{"value":null,"samples":0})"
    )) << shown;
    // 13 tokens each for 16 millionths of a yuan.
    EXPECT_TRUE(shown.contains(
        R"("success_share":{"value":1,"samples":3},"price_per_million_tokens":{"value":"1.230769","tokens":39},"window_seconds":600})"
    )) << shown;
    EXPECT_EQ(f.ask_path("GET", "/v1/models/m/endpoints").body, R"({"data":)" + shown + "}");
    EXPECT_EQ(f.ask_path("GET", "/v1/models/x/endpoints").status, 404);
}

}  // namespace
}  // namespace penstock::gateway
