// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <fstream>

#include "gateway/gateway_fixture.h"
#include "io/task_group.h"

// Requests with an Idempotency-Key, and declared repetitions without one, over real sockets.
namespace penstock::gateway {
namespace {

const http::Headers kKeyA{{"Idempotency-Key", "a"}};

std::string streamed_chat() {
    std::string body(kChat);
    body.insert(body.size() - 1, R"(,"stream":true)");
    return body;
}

EngineScript streams(EngineScript::End end = EngineScript::End::whole) {
    EngineScript script{
        .pieces =
            {R"(data: {"model":"up","choices":[{"index":0,"delta":{"content":"one "}}]})"
             "\n\n",
             R"(data: {"model":"up","choices":[{"index":0,"delta":{"content":"two"}}]})"
             "\n\n"},
        .end = end
    };
    if (end != EngineScript::End::whole) return script;
    script.pieces.emplace_back(
        R"(data: {"model":"up","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})"
        "\n\n"
    );
    script.pieces.emplace_back(
        R"(data: {"model":"up","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2}})"
        "\n\n"
    );
    script.pieces.emplace_back("data: [DONE]\n\n");
    return script;
}

io::Task<void> ask_into(Fixture* f, http::Headers headers, ClientAnswer* answer) {
    *answer = co_await f->ask_task(std::string(kChat), std::move(headers));
}

std::size_t asked(const Fixture& f) { return f.engines[0]->requests.size(); }

TEST(IdempotentCalls, TheSameRequestAgainGetsTheSameAnswerForNothing) {
    Fixture f;
    f.add_engine(whole_answer());
    const ClientAnswer first = f.ask(std::string(kChat), kKeyA);
    const ClientAnswer again = f.ask(std::string(kChat), kKeyA);
    const ClientAnswer other = f.ask(std::string(kChat), {{"Idempotency-Key", "b"}});

    EXPECT_EQ(first.status, 200) << first.body;
    EXPECT_EQ(again.status, 200) << again.body;
    EXPECT_EQ(again.body, first.body);
    for (const char* name : {"Content-Type", "x-penstock-call", "x-penstock-model"})
        EXPECT_EQ(again.headers.get(name), first.headers.get(name)) << name;
    EXPECT_FALSE(first.headers.contains("Idempotency-Replayed"));
    EXPECT_EQ(again.headers.get("Idempotency-Replayed"), "true");
    EXPECT_NE(first.headers.get("x-penstock-cost"), "0");
    EXPECT_EQ(again.headers.get("x-penstock-cost"), "0");
    EXPECT_FALSE(other.headers.contains("Idempotency-Replayed"));
    f.wait_for_records(2);
    EXPECT_EQ(asked(f), 2U);
    EXPECT_EQ(f.server.records.size(), 2U);
}

TEST(IdempotentCalls, AStreamIsGivenAgainByteForByteAlsoAfterARestart) {
    Fixture f;
    f.add_engine(streams());
    const ClientAnswer first = f.ask(streamed_chat(), kKeyA);
    const ClientAnswer again = f.ask(streamed_chat(), kKeyA);
    f.restart_gateway();
    f.apply_routes();
    const ClientAnswer later = f.ask(streamed_chat(), kKeyA);

    EXPECT_TRUE(first.body.ends_with("data: [DONE]\n\n")) << first.body;
    EXPECT_EQ(again.body, first.body);
    EXPECT_EQ(later.body, first.body);
    EXPECT_EQ(later.headers.get("Content-Type"), "text/event-stream");
    EXPECT_EQ(later.headers.get("x-penstock-call"), first.headers.get("x-penstock-call"));
    EXPECT_EQ(later.headers.get("Idempotency-Replayed"), "true");
    EXPECT_EQ(asked(f), 1U);
    f.wait_for_records(1);
    EXPECT_EQ(f.server.records.size(), 1U);
}

TEST(IdempotentCalls, AnotherRequestWithTheKeyIsRefusedByName) {
    Fixture f;
    f.add_engine(whole_answer());
    const ClientAnswer first = f.ask(std::string(kChat), kKeyA);
    std::string body(kChat);
    body.insert(body.size() - 1, R"(,"temperature":1)");

    const ClientAnswer other = f.ask(body, kKeyA);

    EXPECT_EQ(other.status, 422);
    EXPECT_TRUE(other.body.contains(R"("param":"Idempotency-Key")")) << other.body;
    EXPECT_TRUE(other.body.contains(first.headers.get("x-penstock-call"))) << other.body;
    EXPECT_EQ(other.headers.get("x-should-retry"), "false");
    const ClientAnswer elsewhere = f.ask_at("/v1/messages", std::string(kChat), kKeyA);
    EXPECT_EQ(elsewhere.status, 422);
    EXPECT_TRUE(elsewhere.body.starts_with(R"({"type":"error","error":{)")) << elsewhere.body;
    EXPECT_EQ(asked(f), 1U);
}

TEST(IdempotentCalls, WhileTheFirstRunsItIsToldToComeBack) {
    Fixture f;
    f.add_engine(streams(EngineScript::End::when_told));
    io::TaskGroup group(f.runtime.executor(), "asks");
    ClientAnswer first;
    group.spawn(ask_into(&f, kKeyA, &first));
    f.wait_until([&] { return f.engines[0]->waiting() == 1; }, "the engine to be asked");

    const ClientAnswer second = f.ask(std::string(kChat), kKeyA);
    EXPECT_EQ(second.status, 409);
    EXPECT_EQ(second.headers.get("Retry-After"), "1");
    EXPECT_FALSE(second.headers.contains("x-should-retry"));
    EXPECT_TRUE(second.body.contains("still running")) << second.body;
    f.engines[0]->cut();
    f.wait_until([&] { return first.status != 0; }, "the first answer");
    f.runtime.block_on(group.close());
}

TEST(IdempotentCalls, OfManyAtOnceOneIsMade) {
    Fixture f;
    f.add_engine(whole_answer());
    io::TaskGroup group(f.runtime.executor(), "asks");
    std::vector<ClientAnswer> answers(20);
    for (ClientAnswer& answer : answers) group.spawn(ask_into(&f, kKeyA, &answer));
    f.wait_until(
        [&] { return std::ranges::all_of(answers, [](const auto& a) { return a.status != 0; }); },
        "all answers"
    );
    f.runtime.block_on(group.close());

    const auto made = std::ranges::count_if(answers, [](const ClientAnswer& a) {
        return a.status == 200 && !a.headers.contains("Idempotency-Replayed");
    });
    EXPECT_EQ(made, 1);
    for (const ClientAnswer& answer : answers)
        EXPECT_TRUE(answer.status == 200 || answer.status == 409) << answer.body;
    EXPECT_EQ(asked(f), 1U);
    f.wait_for_records(1);
    EXPECT_EQ(f.server.records.size(), 1U);
}

TEST(IdempotentCalls, WhatCostNothingMayBeRepeated) {
    Fixture f;
    f.add_engine({.status = 400, .content_type = "application/json", .pieces = {"{}"}});
    EXPECT_EQ(f.ask(std::string(kChat), kKeyA).status, 400);
    f.engines[0]->script = {.status = 500, .pieces = {"{}"}};
    EXPECT_EQ(f.ask(std::string(kChat), kKeyA).status, 502);
    f.engines[0]->script = whole_answer();
    f.renew_endpoints();
    EXPECT_EQ(f.ask(std::string(kChat), kKeyA).status, 200);
    EXPECT_EQ(f.ask(std::string(kChat), kKeyA).headers.get("Idempotency-Replayed"), "true");
}

TEST(IdempotentCalls, AStreamThatBrokeOffIsNotMadeTwice) {
    Fixture f;
    f.add_engine(streams(EngineScript::End::cut));
    const ClientAnswer first = f.ask(streamed_chat(), kKeyA);
    EXPECT_TRUE(first.cut);
    const ClientAnswer again = f.ask(streamed_chat(), kKeyA);

    EXPECT_EQ(again.status, 409);
    EXPECT_TRUE(again.body.contains(first.headers.get("x-penstock-call"))) << again.body;
    EXPECT_TRUE(again.body.contains("was charged")) << again.body;
    EXPECT_TRUE(again.body.contains("use a new key")) << again.body;
    EXPECT_EQ(again.headers.get("x-should-retry"), "false");
    EXPECT_EQ(asked(f), 1U);
}

TEST(IdempotentCalls, TheAnswerOfTheNextModelIsTheRequests) {
    Fixture f;
    f.add_engine({.status = 404, .content_type = "application/json", .pieces = {"{}"}});
    f.add_engine(whole_answer(), "n");
    std::string body(kChat);
    body.insert(body.size() - 1, R"(,"models":["n"])");
    const ClientAnswer first = f.ask(body, kKeyA);
    const ClientAnswer again = f.ask(body, kKeyA);

    EXPECT_EQ(first.status, 200) << first.body;
    EXPECT_EQ(again.body, first.body);
    EXPECT_EQ(again.headers.get("x-penstock-model"), "n");
    EXPECT_EQ(again.headers.get("x-penstock-call"), first.headers.get("x-penstock-call"));
    EXPECT_EQ(f.engines[1]->requests.size(), 1U);
}

TEST(IdempotentCalls, EveryPathThatSpendsHonoursTheKey) {
    const std::string whole(kChat);
    const std::vector<std::pair<std::string, std::string>> calls = {
        {"/v1/chat/completions", whole},
        {"/v1/responses", R"({"model":"m","input":"a"})"},
        {"/v1/responses", R"({"model":"m","input":"a","store":true})"},
        {"/v1/messages",
         R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"a"}]})"},
        {"/api/chat", R"({"model":"m","stream":false,"messages":[{"role":"user","content":"a"}]})"},
        {"/v1/messages",
         R"({"model":"m","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"a"}]})"
        },
        {"/api/chat", R"({"model":"m","messages":[{"role":"user","content":"a"}]})"},
        {"/v1/responses", R"({"model":"m","input":"a","stream":true})"},
    };
    std::size_t number = 0;
    Fixture f;
    f.add_engine(whole_answer());
    for (const auto& [path, body] : calls) {
        if (++number == 6) f.engines[0]->script = streams();
        const http::Headers key{{"Idempotency-Key", std::to_string(number)}};
        const ClientAnswer first = f.ask_at(path, body, key);
        const ClientAnswer again = f.ask_at(path, body, key);
        EXPECT_EQ(first.status, 200) << path << first.body;
        EXPECT_EQ(again.body, first.body) << path;
        EXPECT_EQ(again.headers.get("Content-Type"), first.headers.get("Content-Type")) << path;
        EXPECT_EQ(again.headers.get("Idempotency-Replayed"), "true") << path << again.body;
        EXPECT_EQ(asked(f), number) << path;
    }
    EXPECT_EQ(f.server.kept.size(), 1U);
    f.wait_for_records(calls.size());
    EXPECT_EQ(f.server.records.size(), calls.size());
}

TEST(IdempotentCalls, EmbeddingsAreGivenAgain) {
    Fixture f;
    f.add_engine(
        {.content_type = "application/json",
         .pieces = {R"({"data":[],"model":"up","usage":{"prompt_tokens":5}})"}}
    );
    const std::string body = R"({"model":"m","input":"a"})";
    const ClientAnswer first = f.ask_at("/v1/embeddings", body, kKeyA);
    EXPECT_EQ(first.status, 200) << first.body;
    EXPECT_EQ(f.ask_at("/v1/embeddings", body, kKeyA).body, first.body);
    EXPECT_EQ(asked(f), 1U);
}

TEST(IdempotentCalls, CountingTokensIsFreeAndLooksAtNoKey) {
    Fixture f;
    f.add_engine(whole_answer());
    const std::string body =
        R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"a"}]})";
    const ClientAnswer first = f.ask_at("/v1/messages/count_tokens", body, kKeyA);
    EXPECT_EQ(first.status, 200) << first.body;
    const ClientAnswer other = f.ask_at("/v1/messages/count_tokens", body + " ", kKeyA);
    EXPECT_EQ(other.status, 200) << other.body;
    EXPECT_FALSE(other.headers.contains("Idempotency-Replayed"));
    EXPECT_EQ(f.ask_at("/v1/messages", body, kKeyA).status, 200);
}

TEST(IdempotentCalls, AnswersOverAMebibyteAreNotKeptAndSaySo) {
    Fixture f;
    EngineScript large = streams();
    const std::string word(400'000, 'x');
    for (std::size_t at = 0; at < 3; ++at)
        large.pieces.insert(
            large.pieces.begin(),
            R"(data: {"model":"up","choices":[{"index":0,"delta":{"content":")" + word +
                "\"}}]}\n\n"
        );
    f.add_engine(large);
    const ClientAnswer streamed = f.ask(streamed_chat(), kKeyA);
    EXPECT_GT(streamed.body.size(), 1'200'000U);
    const ClientAnswer again = f.ask(streamed_chat(), kKeyA);
    EXPECT_EQ(again.status, 409);
    EXPECT_TRUE(again.body.contains("larger than the 1 MiB")) << again.body;

    f.engines[0]->script = {
        .content_type = "application/json",
        .pieces =
            {R"({"model":"up","choices":[{"index":0,"message":{"content":")" + word + word + word +
             R"("}}],"usage":{"prompt_tokens":5,"completion_tokens":2}})"}
    };
    EXPECT_EQ(f.ask(std::string(kChat), {{"Idempotency-Key", "b"}}).status, 200);
    const ClientAnswer whole = f.ask(std::string(kChat), {{"Idempotency-Key", "b"}});
    EXPECT_EQ(whole.status, 409);
    EXPECT_TRUE(whole.body.contains("larger than the 1 MiB")) << whole.body;
    EXPECT_EQ(asked(f), 2U);
}

TEST(IdempotentCalls, KeysBelongToOneApiKeyAndAreBounded) {
    Fixture f;
    f.add_engine(whole_answer());
    EXPECT_EQ(f.ask(std::string(kChat), kKeyA).status, 200);
    f.key = "sk-of-somebody-else";
    EXPECT_EQ(f.ask(std::string(kChat), kKeyA).status, 401);
    f.key = ScriptedServer::kKey;
    const ClientAnswer refused =
        f.ask(std::string(kChat), {{"Idempotency-Key", std::string(256, 'k')}});
    EXPECT_EQ(refused.status, 400);
    EXPECT_TRUE(refused.body.contains("1 to 255 bytes")) << refused.body;
}

TEST(IdempotentCalls, MetricsTellOfKeysAndReplays) {
    Fixture f;
    f.add_engine(whole_answer());
    f.ask(std::string(kChat), kKeyA);
    f.ask(std::string(kChat), kKeyA);
    EXPECT_TRUE(f.metrics().contains(R"(penstock_gateway_idempotency_total{outcome="replayed"} 1)"))
        << f.metrics();
    f.wait_until(
        [&] { return f.metrics().contains("penstock_gateway_idempotency_keys 1\n"); }, "the gauge"
    );
}

// What a process leaves when it is killed: its files as they are, and nothing behind them.
struct Killed : Fixture {
    void kill_and_restart(
        const std::function<void()>& meanwhile = [] {},
        const std::function<void()>& before_end = [] {}
    ) {
        const std::filesystem::path copy = folder.string() + "-copy";
        std::filesystem::copy(options.state_dir, copy, std::filesystem::copy_options::recursive);
        before_end();  // what the process does from here on nobody sees
        stop_gateway();
        std::filesystem::remove_all(options.state_dir);
        std::filesystem::rename(copy, options.state_dir);
        meanwhile();
        start_gateway();
        apply_routes();
    }
};

TEST(IdempotentCalls, AfterAKillAnAnswerThatWasGivenIsGivenAgain) {
    Killed f;
    f.add_engine(whole_answer());
    const ClientAnswer first = f.ask(std::string(kChat), kKeyA);
    f.kill_and_restart();
    const ClientAnswer again = f.ask(std::string(kChat), kKeyA);
    EXPECT_EQ(again.body, first.body);
    EXPECT_EQ(asked(f), 1U);
    f.wait_for_records(1);
    EXPECT_EQ(f.server.records.size(), 1U);
}

TEST(IdempotentCalls, AfterAKillInTheMiddleTheKeyIsFree) {
    Killed f;
    f.add_engine(streams(EngineScript::End::when_told));
    io::TaskGroup group(f.runtime.executor(), "asks");
    ClientAnswer cut;
    group.spawn(ask_into(&f, kKeyA, &cut));
    f.wait_until([&] { return f.engines[0]->waiting() == 1; }, "the engine to be asked");
    f.kill_and_restart([] {}, [&] { f.engines[0]->cut(); });
    f.runtime.block_on(group.close());
    f.engines[0]->script = whole_answer();

    EXPECT_EQ(f.ask(std::string(kChat), kKeyA).status, 200);
    EXPECT_EQ(asked(f), 2U);
}

TEST(IdempotentCalls, WithoutTheEndOfTheLogAKeyThatTheSpoolChargedIsNotMadeTwice) {
    Killed f;
    f.add_engine(whole_answer());
    f.server.away = false;
    const ClientAnswer first = f.ask(std::string(kChat), kKeyA);
    f.kill_and_restart([&] {
        const auto log = f.options.state_dir / "idempotency" / "0000000001.idem";
        std::filesystem::resize_file(log, std::filesystem::file_size(log) - 1);
    });
    const ClientAnswer again = f.ask(std::string(kChat), kKeyA);
    EXPECT_EQ(again.status, 409);
    EXPECT_TRUE(again.body.contains(first.headers.get("x-penstock-call"))) << again.body;
    EXPECT_TRUE(again.body.contains("restarted in the middle")) << again.body;
    EXPECT_EQ(asked(f), 1U);
}

// ---- declared repetitions ----

const http::Headers kRetry{{"x-stainless-retry-count", "1"}};

TEST(DeclaredRetries, OfAStreamWhoseClientLeftAreNotMadeOnceMore) {
    Fixture f;
    f.add_engine(streams(EngineScript::End::hang));
    f.leave_after(streamed_chat(), 2);
    f.wait_for_records(1);
    f.engines[0]->script = streams();

    const ClientAnswer retry = f.ask(streamed_chat(), kRetry);
    EXPECT_EQ(retry.status, 409) << retry.body;
    EXPECT_TRUE(retry.body.contains(to_string(f.server.records.begin()->first))) << retry.body;
    EXPECT_EQ(retry.headers.get("x-should-retry"), "false");
    EXPECT_EQ(asked(f), 1U);
    // A call that declares nothing is a new one, and so is the retry of another one.
    EXPECT_EQ(f.ask(streamed_chat()).status, 200);
    std::string other = streamed_chat();
    other.replace(other.find("hello there, engine"), 1, "j");
    EXPECT_EQ(f.ask(other, kRetry).status, 200);
    f.clock.ahead += 61s;
    EXPECT_EQ(f.ask(streamed_chat(), kRetry).status, 200);
}

TEST(DeclaredRetries, OfACallThatCostNothingAreMade) {
    Fixture f;
    f.add_engine({.status = 500, .pieces = {"{}"}});
    EXPECT_EQ(f.ask(streamed_chat()).status, 502);
    f.engines[0]->script = streams();
    f.renew_endpoints();
    EXPECT_EQ(f.ask(streamed_chat(), kRetry).status, 200);
}

}  // namespace
}  // namespace penstock::gateway
