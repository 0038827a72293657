// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "gateway/gateway_fixture.h"
#include "io/task_group.h"

// Calls that wait for the first replica of a service.
namespace penstock::gateway {
namespace {

const TaskId kTask{RawId{7, 7}};

ElasticRoute service(Duration hold = 10s) {
    return {
        .task_id = kTask,
        .model = "m",
        .owner = "shop",
        .hold_first_call = hold,
        .cold_start = 40s,
        .created_at = Time(1'700'000'000s)
    };
}

io::Task<void> keep(io::Task<ClientAnswer> asked, std::optional<ClientAnswer>* answer) {
    answer->emplace(co_await std::move(asked));
}

// A gateway whose platform has one service, of which no replica runs.
struct Asleep : Fixture {
    io::TaskGroup group{runtime.executor(), "clients"};
    std::vector<std::unique_ptr<std::optional<ClientAnswer>>> answers;

    explicit Asleep(GatewayOptions changes = {}, ElasticRoute elastic = service())
        : Fixture(std::move(changes)) {
        server.elastic = {std::move(elastic)};
        apply_routes();
    }
    ~Asleep() { runtime.block_on(group.close()); }

    // A call that goes on while the test does.
    std::optional<ClientAnswer>& begin(
        http::Headers headers = {}, const std::string& path = {},
        std::string body = std::string(kChat)
    ) {
        answers.push_back(std::make_unique<std::optional<ClientAnswer>>());
        group.spawn(keep(
            ask_task(
                std::move(body), std::move(headers), path.empty() ? "/v1/chat/completions" : path
            ),
            answers.back().get()
        ));
        return *answers.back();
    }
    std::int64_t in_flight() const {
        return server.loads.empty() || server.loads.back().services.empty()
                   ? 0
                   : server.loads.back().services[0].calls_in_flight;
    }
    void wait_for_held(std::int64_t count) {
        wait_until([&] { return in_flight() == count; }, std::to_string(count) + " held calls");
    }
    void wake(EngineScript script = whole_answer()) {
        engines.push_back(std::make_unique<ScriptedEngine>(runtime, std::move(script)));
        routes.push_back(route_to(engines.back()->url(), "m", engines.size()));
        routes.back().endpoint.task_id = kTask;
        apply_routes();
    }
};

TEST(HeldCalls, TheFirstCallWaitsForAReplicaAndIsAnswered) {
    Asleep f;
    std::optional<ClientAnswer>& answer = f.begin();
    f.wait_for_held(1);
    EXPECT_TRUE(f.server.reserved().is_zero()) << "nothing is reserved while it waits";

    f.wake();
    f.wait_until([&] { return answer.has_value(); }, "the answer");

    EXPECT_EQ(answer->status, 200) << answer->body;
    f.wait_for_records(1);
    EXPECT_EQ(f.server.records.begin()->second.tokens.output_visible, 3);
    f.wait_until([&] { return f.in_flight() == 0; }, "an empty queue");
}

TEST(HeldCalls, EveryDialectMayWait) {
    Asleep f;
    std::optional<ClientAnswer>& answer = f.begin({}, "/v1/messages");
    f.wait_for_held(1);
    f.wake();
    f.wait_until([&] { return answer.has_value(); }, "the answer");
    EXPECT_EQ(answer->status, 200) << answer->body;
}

TEST(HeldCalls, AfterItsTimeItIsToldOfTheColdStartAndWhenToComeBack) {
    Asleep f({}, service(50ms));
    const ClientAnswer answer = f.ask(std::string(kChat));
    EXPECT_EQ(answer.status, 503);
    EXPECT_EQ(answer.headers.get("Retry-After"), "40");
    EXPECT_NE(answer.body.find("\"code\":\"cold_start\""), std::string::npos) << answer.body;
    EXPECT_NE(answer.body.find("cold start, about 40s"), std::string::npos) << answer.body;
}

TEST(HeldCalls, TheClientMaySayHowLongItWaits) {
    Asleep f;
    EXPECT_EQ(f.ask(std::string(kChat), {{"x-penstock-wait", "0s"}}).status, 503);
    const ClientAnswer wrong = f.ask(std::string(kChat), {{"x-penstock-wait", "soon"}});
    EXPECT_EQ(wrong.status, 400);
    EXPECT_NE(wrong.body.find("x-penstock-wait"), std::string::npos) << wrong.body;
}

TEST(HeldCalls, TheDeadlineOfTheCallGoesFirst) {
    Asleep f;
    const ClientAnswer answer = f.ask(std::string(kChat), {{"x-penstock-timeout", "50ms"}});
    EXPECT_EQ(answer.status, 504) << answer.body;
}

TEST(HeldCalls, NoMoreWaitThanMay) {
    GatewayOptions options;
    options.held_calls_max = 2;
    Asleep f(options);
    f.begin();
    f.begin();
    f.wait_for_held(2);
    const ClientAnswer answer = f.ask(std::string(kChat));
    EXPECT_EQ(answer.status, 503);
    EXPECT_EQ(answer.headers.get("Retry-After"), "40");
    EXPECT_NE(answer.body.find("cold_start"), std::string::npos) << answer.body;
}

TEST(HeldCalls, NoMoreBytesWaitThanMay) {
    GatewayOptions options;
    options.held_bytes_max = kChat.size() - 1;
    Asleep f(options);
    EXPECT_EQ(f.ask(std::string(kChat)).status, 503);
}

TEST(HeldCalls, AClientThatLeavesMakesRoom) {
    GatewayOptions options;
    options.held_calls_max = 1;
    Asleep f(options);
    f.begin();
    f.wait_for_held(1);
    f.runtime.block_on(f.group.close());
    f.wait_for_held(0);
    EXPECT_NE(f.metrics().find("penstock_gateway_calls_held"), std::string::npos);
}

TEST(HeldCalls, AKeyThatMayNotUseTheModelWakesNobody) {
    Asleep f;
    f.server.key_limits.emplace().models = {"other"};
    const ClientAnswer answer = f.ask(std::string(kChat));
    EXPECT_EQ(answer.status, 403) << answer.body;
    EXPECT_EQ(f.in_flight(), 0);
}

TEST(HeldCalls, AServiceThatEndsMeanwhileLeavesAnUnknownModel) {
    Asleep f;
    std::optional<ClientAnswer>& answer = f.begin();
    f.wait_for_held(1);
    f.server.elastic.clear();
    f.apply_routes();
    f.wait_until([&] { return answer.has_value(); }, "the answer");
    EXPECT_EQ(answer->status, 404) << answer->body;
}

TEST(HeldCalls, AStreamThatAsksForItGetsSignsOfLifeWhileItWaits) {
    Asleep f;
    const std::string streamed =
        R"({"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":5,"stream":true})";
    auto& answer = f.begin({{"x-penstock-keep-alive", "100ms"}}, {}, streamed);
    f.wait_for_held(1);
    f.wake(
        {.pieces =
             {"data: "
              "{\"model\":\"upstream-model\",\"choices\":[{\"index\":0,\"delta\":{\"content\":"
              "\"Hi\"},\"finish_reason\":\"stop\"}]}\n\n",
              "data: [DONE]\n\n"}}
    );
    f.wait_until([&] { return answer.has_value(); }, "the answer");
    EXPECT_EQ(answer->status, 200);
    EXPECT_TRUE(answer->body.starts_with(": waiting for a replica to start\n\n")) << answer->body;
    EXPECT_TRUE(answer->body.ends_with("data: [DONE]\n\n")) << answer->body;
    EXPECT_FALSE(answer->cut);
}

TEST(HeldCalls, AStreamThatWaitedIsGivenAgainByItsIdempotencyKey) {
    Asleep f;
    const std::string streamed =
        R"({"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":5,"stream":true})";
    const http::Headers headers{{"x-penstock-keep-alive", "100ms"}, {"Idempotency-Key", "a"}};
    auto& answer = f.begin(headers, {}, streamed);
    f.wait_for_held(1);
    EXPECT_EQ(f.ask(streamed, headers).status, 409);
    f.wake(
        {.pieces =
             {R"(data: {"model":"m","choices":[{"index":0,"delta":{"content":"Hi"}}]})"
              "\n\n",
              "data: [DONE]\n\n"}}
    );
    f.wait_until([&] { return answer.has_value(); }, "the answer");

    const ClientAnswer again = f.ask(streamed, headers);
    EXPECT_EQ(again.headers.get("Idempotency-Replayed"), "true") << again.body;
    EXPECT_TRUE(again.body.starts_with("data: ")) << again.body;
    EXPECT_TRUE(answer->body.ends_with(again.body)) << answer->body;
}

TEST(HeldCalls, AStreamThatWaitedInVainEndsWithTheErrorAndIsCut) {
    Asleep f({}, service(150ms));
    const ClientAnswer answer = f.ask(
        R"({"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":5,"stream":true})",
        {{"x-penstock-keep-alive", "100ms"}}
    );
    EXPECT_EQ(answer.status, 200);
    EXPECT_NE(answer.body.find("\"code\":\"cold_start\""), std::string::npos) << answer.body;
    EXPECT_TRUE(answer.cut);
}

TEST(HeldCalls, AModelThatSleepsIsListed) {
    Asleep f;
    const ClientAnswer list = f.ask_path("GET", "/v1/models");
    EXPECT_NE(list.body.find(R"("id":"m")"), std::string::npos) << list.body;
    EXPECT_NE(list.body.find(R"("owned_by":"shop")"), std::string::npos) << list.body;
    EXPECT_EQ(f.ask_path("GET", "/v1/models/m").status, 200);
}

TEST(HeldCalls, TheServerIsToldOfCallsTokensAndReplicasThatLeave) {
    GatewayOptions options;
    options.region = "cn-hubei";
    Asleep f(options);
    f.wake();
    f.ask(std::string(kChat));
    f.wait_until(
        [&] {
            if (f.server.loads.empty()) return false;
            const ReportLoads& last = f.server.loads.back();
            return !last.services.empty() && last.services[0].calls_arrived == 1 &&
                   last.services[0].tokens_arrived == 13 && last.services[0].calls_in_flight == 0;
        },
        "a report of the call"
    );
    EXPECT_EQ(f.server.loads.back().region, "cn-hubei");
    EXPECT_EQ(f.server.loads.back().routes_version, f.server.routes_version());

    f.engines.back()->script.silent = true;
    f.begin();
    f.wait_for_held(1);
    f.routes.back().endpoint.state = EndpointState::unready;
    f.apply_routes();
    f.wait_until(
        [&] { return f.server.loads.back().leaving == std::vector{f.routes.back().endpoint.id}; },
        "a report of the replica that leaves"
    );
}

}  // namespace
}  // namespace penstock::gateway
