// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/describe/enum_to_string.hpp>

#include "gateway/gateway_fixture.h"
#include "io/task_group.h"

// Where a call goes on when the engines that it was for cannot take it, and what is told of that.
namespace penstock::gateway {
namespace {

using End = EngineScript::End;

const std::string kWhole =
    R"({"model":"m","max_tokens":50,"messages":[{"role":"user","content":"hello there"}]})";
const std::string kStreamed =
    R"({"model":"m","max_tokens":50,"stream":true,"messages":[{"role":"user","content":"hello there"}]})";

EngineScript json(std::string body, int status = 200) {
    return {.status = status, .content_type = "application/json", .pieces = {std::move(body)}};
}
EngineScript failing(int status) { return json("{}", status); }
EngineScript busy(const std::string& retry_after, int status = 429) {
    EngineScript script = failing(status);
    script.headers.set("Retry-After", retry_after);
    return script;
}

EngineScript anthropic_answer() {
    return json(
        R"({"id":"msg_x","type":"message","role":"assistant","model":"upstream-model","content":)"
        R"([{"type":"text","text":"Hi!"}],"stop_reason":"end_turn","stop_sequence":null,"usage":)"
        R"({"input_tokens":6,"output_tokens":3}})"
    );
}

EngineScript ollama_answer() {
    return json(R"({"model":"upstream-model","created_at":"2026-01-02T03:04:05Z","message":)"
                R"({"role":"assistant","content":"Hi!"},"done_reason":"stop","done":true,)"
                R"("prompt_eval_count":10,"eval_count":3})");
}

EngineScript anthropic_stream() {
    return {
        .pieces =
            {
                "event: message_start\ndata: "
                "{\"type\":\"message_start\",\"message\":{\"id\":\"msg_x\","
                "\"type\":\"message\",\"role\":\"assistant\",\"model\":\"u\",\"content\":[],"
                "\"usage\":{\"input_tokens\":6,\"output_tokens\":1}}}\n\n",
                "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,"
                "\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
                "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,"
                "\"delta\":{\"type\":\"text_delta\",\"text\":\"Hi!\"}}\n\n",
                "event: content_block_stop\ndata: "
                "{\"type\":\"content_block_stop\",\"index\":0}\n\n",
                "event: message_delta\ndata: "
                "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":"
                "\"end_turn\"},\"usage\":{\"output_tokens\":3}}\n\n",
                "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
            }
    };
}

// How the only call ended and what its attempts came to, by their ends.
std::string ends(Fixture& f, std::size_t attempts) {
    f.wait_until(
        [&] { return !f.server.records.empty() && f.server.attempts.size() >= attempts; },
        "the records"
    );
    EXPECT_EQ(f.server.records.size(), 1U);
    const auto end = [](const CallRecord& record) {
        return std::string(boost::describe::enum_to_string(record.end_reason, "?")) + " " +
               std::to_string(record.status);
    };
    std::string all = end(f.server.records.begin()->second);
    for (const auto& [id, attempt] : f.server.attempts) {
        EXPECT_EQ(attempt.attempt_of, f.server.records.begin()->first);
        all += ", " + end(attempt);
    }
    return all;
}

TEST(Failover, AChatCallGoesOnWithEnginesOfAnotherApi) {
    for (const char* protocol : {"anthropic", "ollama"}) {
        Fixture f;
        f.add_engine(failing(500));
        f.add_engine(
            protocol == std::string_view("ollama") ? ollama_answer() : anthropic_answer(), "m",
            protocol
        );

        const ClientAnswer answer = f.ask(kWhole);

        EXPECT_EQ(answer.status, 200) << answer.body;
        EXPECT_TRUE(answer.body.contains(R"("content":"Hi!")")) << answer.body;
        EXPECT_EQ(answer.headers.get("x-penstock-provider"), "provider-2");
        EXPECT_EQ(ends(f, 1), "done 200, upstream_error 500");
        EXPECT_EQ(
            answer.headers.get("x-penstock-call"), to_string(f.server.records.begin()->first)
        );
    }
}

TEST(Failover, AStreamGoesOnWithAnEngineOfAnotherApi) {
    Fixture f;
    f.add_engine({.end = End::cut});
    f.add_engine(anthropic_stream(), "m", "anthropic");

    const ClientAnswer answer = f.ask(kStreamed);

    EXPECT_FALSE(answer.cut) << answer.body;
    EXPECT_TRUE(answer.body.contains(R"("content":"Hi!")")) << answer.body;
    EXPECT_TRUE(answer.body.contains("data: [DONE]")) << answer.body;
    EXPECT_EQ(answer.headers.get("x-penstock-provider"), "provider-2");
    EXPECT_EQ(ends(f, 1), "done 200, upstream_error 200");
}

TEST(Failover, AnAnthropicCallGoesOnWithAnEngineOfOpenAisApi) {
    Fixture f;
    f.add_engine(failing(529), "m", "anthropic");
    f.add_engine(whole_answer());

    const ClientAnswer answer = f.ask_at("/v1/messages", kWhole);

    EXPECT_EQ(answer.status, 200) << answer.body;
    EXPECT_TRUE(answer.body.contains(R"("text":"Hi!")")) << answer.body;
    EXPECT_EQ(ends(f, 1), "done 200, upstream_error 529");
}

// What the client would have been told of the first engine was made while that one worked.
TEST(Failover, TheClientIsToldOfTheEngineThatAnswered) {
    for (const std::string& body : {kWhole, kStreamed}) {
        Fixture f;
        f.add_engine(failing(500));
        f.add_engine(whole_answer());
        for (int n = 0; n < 4; ++n) {  // until the breaker has the first one left alone
            const ClientAnswer answer = f.ask(body);
            EXPECT_EQ(answer.status, 200) << answer.body;
            EXPECT_EQ(answer.headers.get("x-penstock-provider"), "provider-2");
            EXPECT_EQ(answer.headers.count("x-penstock-provider"), 1U);
        }
    }
}

TEST(Failover, NoEngineIsAskedTwiceAndNoMoreThanThreeAre) {
    Fixture f;
    f.add_engine(failing(500));
    f.add_engine(failing(500));
    f.add_engine(failing(500), "m", "anthropic");
    f.add_engine(failing(500), "m", "ollama");

    EXPECT_EQ(f.ask(kWhole).status, 502);

    std::size_t asked = 0;
    for (const auto& engine : f.engines) {
        EXPECT_LE(engine->requests.size(), 1U);
        asked += engine->requests.size();
    }
    EXPECT_EQ(asked, 3U);
    EXPECT_EQ(f.engines[0]->requests.size() + f.engines[1]->requests.size(), 2U);
    EXPECT_EQ(ends(f, 2), "upstream_error 502, upstream_error 500, upstream_error 500");
}

TEST(Failover, WhatAnotherApiHasNoWordForIsToldInTheFirstOnesWords) {
    Fixture f;
    f.add_engine(failing(503));
    f.add_engine(anthropic_answer(), "m", "anthropic");
    std::string body = kWhole;
    body.insert(body.size() - 1, R"(,"logit_bias":{"1":2})");

    EXPECT_EQ(f.ask(body).status, 503);
    EXPECT_EQ(ends(f, 0), "upstream_error 503");
    EXPECT_TRUE(f.engines[1]->requests.empty());

    f.server.records.clear();
    const ClientAnswer dropped = f.ask(body, {{"x-penstock-unsupported", "drop"}});
    EXPECT_EQ(dropped.status, 200) << dropped.body;
    EXPECT_EQ(dropped.headers.get("x-penstock-dropped"), "logit_bias");
}

TEST(Failover, AnEngineThatSaysWhenIsAskedAgainWhereNobodyElseIs) {
    for (const char* path : {"/v1/chat/completions", "/v1/messages"}) {
        Fixture f;
        f.add_engine(whole_answer());
        f.engines[0]->before = {busy("1"), busy("0", 503)};
        const Duration began = f.clock.monotonic();

        EXPECT_EQ(f.ask_at(path, kWhole).status, 200) << path;

        EXPECT_GE(f.clock.monotonic() - began, Duration(1s)) << path;
        EXPECT_EQ(f.engines[0]->requests.size(), 3U) << path;
        f.wait_for_records(1);
        EXPECT_EQ(f.server.attempts.size(), 2U) << path;
    }
}

TEST(Failover, AnotherEngineNeedsNoWait) {
    Fixture f;
    f.add_engine(whole_answer());
    f.add_engine(anthropic_answer(), "m", "anthropic");
    f.engines[0]->before = {busy("5")};
    const Duration began = f.clock.monotonic();

    EXPECT_EQ(f.ask(kWhole).headers.get("x-penstock-provider"), "provider-2");

    EXPECT_LT(f.clock.monotonic() - began, Duration(4s));
    EXPECT_EQ(f.engines[0]->requests.size(), 1U);
}

TEST(Failover, AnEngineThatSaysNothingOrAsksForTooMuchIsNotAskedAgain) {
    for (const char* after : {"6", "soon", ""}) {
        Fixture f;
        f.add_engine(busy(after));
        EXPECT_EQ(f.ask(kWhole).status, 429) << after;
        EXPECT_EQ(f.engines[0]->requests.size(), 1U) << after;
    }
    Fixture hurried;
    hurried.add_engine(busy("3"));
    EXPECT_EQ(hurried.ask(kWhole, {{"x-penstock-timeout", "4s"}}).status, 429);
    EXPECT_EQ(hurried.engines[0]->requests.size(), 1U);
}

TEST(Failover, AnAnswerThatComesWholeLeavesTimeForAnotherEngine) {
    Fixture f;
    f.add_engine({.silent = true});
    f.add_engine(whole_answer());
    std::string body = kWhole;
    body.insert(body.size() - 1, R"(,"provider":{"order":["provider-1","provider-2"]})");

    const ClientAnswer answer = f.ask(body, {{"x-penstock-timeout", "4100ms"}});

    EXPECT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(ends(f, 1), "done 200, timeout 0");
}

// ---- why ----

TEST(Explained, ACallThatAsksForItKeepsHowEachEngineWasFound) {
    Fixture f;
    f.add_engine(failing(500));
    f.add_engine(anthropic_answer(), "m", "anthropic");

    EXPECT_EQ(f.ask(kWhole, {{"x-penstock-explain", "1"}}).status, 200);

    EXPECT_EQ(ends(f, 1), "done 200, upstream_error 500");
    const std::string first = f.server.attempts.begin()->second.routing.value_or("");
    const std::string second = f.server.records.begin()->second.routing.value_or("");
    EXPECT_TRUE(first.contains("provider-1 at site-1 chosen")) << first;
    EXPECT_TRUE(first.contains("provider-2 at site-2: protocol")) << first;
    EXPECT_TRUE(second.contains("provider-1 at site-1: tried before")) << second;
    EXPECT_TRUE(second.contains("provider-2 at site-2 chosen")) << second;
    EXPECT_FALSE((first + second).contains("ep_")) << first << second;
    EXPECT_FALSE(f.engines[0]->requests.at(0).headers.contains("x-penstock-explain"));
}

TEST(Explained, OneCallInAHundredIsExplainedUnasked) {
    Fixture f;
    f.add_engine(whole_answer());
    const auto explained = [&] {
        return std::ranges::count_if(f.server.records, [](const auto& entry) {
            return entry.second.routing.has_value();
        });
    };
    for (std::size_t calls = 1; calls <= 2000 && explained() < 2; ++calls) {
        EXPECT_EQ(f.ask(kWhole).status, 200);
        if (calls % 50 == 0) f.wait_for_records(calls);
    }
    EXPECT_GE(explained(), 2);
    EXPECT_GT(f.server.records.size(), 20 * static_cast<std::size_t>(explained()));
}

TEST(Explained, AnotherWordIsRefusedByName) {
    Fixture f;
    f.add_engine(whole_answer());
    for (const char* path : {"/v1/chat/completions", "/v1/messages"}) {
        const ClientAnswer answer = f.ask_at(path, kWhole, {{"x-penstock-explain", "yes"}});
        EXPECT_EQ(answer.status, 400) << path;
        EXPECT_TRUE(answer.body.contains("'0' or '1'")) << answer.body;
    }
}

// ---- the end of the process ----

io::Task<void> ask_into(Fixture* f, std::string path, ClientAnswer* out) {
    *out = co_await f->ask_task(kWhole, {}, std::move(path));
}

// The only record, settled by this process or the next one.
CallRecord record_after_stop(Fixture& f) {
    f.stop_gateway(20ms);
    f.start_gateway();
    f.wait_for_records(1);
    return f.server.records.begin()->second;
}

TEST(Stopped, AStreamThatOutlivesTheDrainEndsWithAnErrorAndIsChargedWhatItDelivered) {
    for (const char* path : {"/v1/chat/completions", "/v1/messages"}) {
        Fixture f;
        f.add_engine(
            {.pieces = {"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n"},
             .end = End::hang}
        );
        http::ClientRequest request{.method = "POST", .url = f.front->url() + path};
        request.headers.add("Authorization", "Bearer " + f.key);
        request.body = kStreamed;
        Result<http::ResponseStream> stream =
            f.runtime.block_on(f.client.open(std::move(request), io::Deadline::after(10s)));
        ASSERT_TRUE(stream) << to_string(stream.error());
        std::string told;
        const auto read = [&] {
            const auto piece = f.runtime.block_on(stream->read(io::Deadline::after(10s)));
            if (piece) told += *piece;
            return piece && !piece->empty();
        };
        while (!told.contains("\"a\"") && read()) {
        }

        const CallRecord record = record_after_stop(f);
        while (read()) {
        }

        EXPECT_EQ(record.end_reason, EndReason::gateway_stopped);
        EXPECT_EQ(record.tokens.input_fresh, 0);
        EXPECT_EQ(record.tokens.output_visible, 1);
        EXPECT_TRUE(told.contains("this gateway was stopped")) << told;
        EXPECT_FALSE(told.contains("[DONE]") || told.contains("message_stop")) << told;
    }
}

TEST(Stopped, ACallThatStillWaitsIsToldToComeAgainAndChargedNothing) {
    for (const char* path : {"/v1/chat/completions", "/v1/messages"}) {
        Fixture f;
        f.add_engine({.silent = true});
        io::TaskGroup group(f.runtime.executor(), "client");
        ClientAnswer answer;
        group.spawn(ask_into(&f, path, &answer));
        f.wait_until([&] { return !f.engines[0]->requests.empty(); }, "the engine to be asked");

        const CallRecord record = record_after_stop(f);
        f.wait_until([&] { return answer.status != 0; }, "the answer");
        f.runtime.block_on(group.close());

        EXPECT_EQ(answer.status, 503) << answer.body;
        EXPECT_EQ(answer.headers.get("Retry-After"), "1");
        EXPECT_TRUE(answer.body.contains("is being stopped")) << answer.body;
        EXPECT_EQ(record.end_reason, EndReason::gateway_stopped);
        EXPECT_EQ(record.tokens.input_fresh, 0);
        EXPECT_EQ(record.tokens.output_visible, 0);
    }
}

}  // namespace
}  // namespace penstock::gateway
