// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>

#include "gateway/gateway_fixture.h"
#include "gateway/key_cache.h"
#include "io/task_group.h"

// How a gateway is taken out of service, and what it tells of itself.
namespace penstock::gateway {
namespace {

constexpr std::string_view kStream =
    R"({"model":"m","messages":[{"role":"user","content":"hello"}],"max_tokens":50,"stream":true})";

EngineScript first_token_then_silence() {
    return {
        .pieces =
            {"data: "
             "{\"id\":\"c\",\"model\":\"upstream-model\",\"choices\":[{\"index\":0,\"delta\":{"
             "\"content\":\"a\"},\"finish_reason\":null}]}\n\n"},
        .end = EngineScript::End::hang
    };
}

void drain(Fixture& f, bool drains) {
    f.server.draining.clear();
    if (drains) f.server.draining = {"gateway-1"};
    f.apply_routes();
}

void wait_for(Fixture& f, GatewayState state) {
    f.wait_until(
        [&] { return f.server.status && f.server.status->state == state; }, "the gateway's state"
    );
}

TEST(GatewayDrain, RefusesNewCallsInEveryDialectAndSaysWhenToComeAgain) {
    Fixture f;
    f.add_engine(whole_answer());
    EXPECT_EQ(f.ask(std::string(kChat)).status, 200);
    drain(f, true);

    for (const char* path :
         {"/v1/chat/completions", "/v1/messages", "/v1/responses", "/api/chat", "/v1/embeddings",
          "/v1/messages/count_tokens"}) {
        const ClientAnswer refused = f.ask_at(
            path,
            R"({"model":"m","max_tokens":5,"input":"a","messages":[{"role":"user","content":"a"}]})"
        );
        EXPECT_EQ(refused.status, 503) << path << refused.body;
        EXPECT_EQ(refused.headers.get("Retry-After"), "5") << path;
        EXPECT_TRUE(refused.body.contains("draining")) << path << refused.body;
    }
    EXPECT_TRUE(f.gateway->draining());
    EXPECT_EQ(f.engines[0]->requests.size(), 1U);
}

TEST(GatewayDrain, FinishesWhatRunsSettlesAndGivesBackItsLeases) {
    Fixture f;
    f.add_engine(first_token_then_silence());
    http::ClientRequest request{.method = "POST", .url = f.front->url() + "/v1/chat/completions"};
    request.headers.add("Authorization", "Bearer " + f.key);
    request.body = std::string(kStream);
    Result<http::ResponseStream> stream =
        f.runtime.block_on(f.client.open(std::move(request), io::Deadline::after(10s)));
    ASSERT_TRUE(stream) << to_string(stream.error());
    const Result<std::string_view> piece =
        f.runtime.block_on(stream->read(io::Deadline::after(10s)));
    ASSERT_TRUE(piece) << to_string(piece.error());
    EXPECT_TRUE(piece->contains("\"a\"")) << *piece;

    drain(f, true);
    wait_for(f, GatewayState::draining);
    EXPECT_EQ(f.server.status->calls_in_flight, 1);
    EXPECT_TRUE(f.server.status->told_to_drain);
    EXPECT_GT(f.server.reserved(), Units()) << "the call's worst case is held";
    stream = fail(ErrorCode::unavailable, "its client leaves");
    wait_for(f, GatewayState::drained);

    EXPECT_EQ(f.server.records.size(), 1U) << "it is settled";
    EXPECT_EQ(f.server.reserved(), Units()) << "nothing is held any more";
    EXPECT_EQ(f.server.status->leases, 0);
    EXPECT_EQ(f.server.status->holds_open, 0);
}

io::Task<void> keep(io::Task<ClientAnswer> asked, std::optional<ClientAnswer>* answer) {
    answer->emplace(co_await std::move(asked));
}

// A request that goes on while the test does, and what the gateway says meanwhile.
struct InFlight : Fixture {
    io::TaskGroup group{runtime.executor(), "client"};
    std::optional<ClientAnswer> answer;

    ~InFlight() { runtime.block_on(group.close()); }
    void begin(std::string body, std::string path = "/v1/chat/completions") {
        group.spawn(keep(ask_task(std::move(body), {}, std::move(path)), &answer));
    }
    void begin_to_drain() {
        drain(*this, true);
        wait_for(*this, GatewayState::draining);
    }
    // By reports that begin from now on, and by all before.
    void expect_not_drained() {
        const std::size_t heard = server.states.size();
        wait_until([&] { return server.states.size() >= heard + 3; }, "reports");
        EXPECT_EQ(std::ranges::count(server.states, GatewayState::drained), 0);
    }
    void expect_answer_then_drained() {
        wait_until([&] { return answer.has_value(); }, "the answer");
        EXPECT_EQ(answer->status, 200) << answer->body;
        wait_for(*this, GatewayState::drained);
        EXPECT_EQ(server.reserved(), Units());
    }
};

// The first model's engine breaks when the drain has begun: the request was let in before, and its
// further model is asked, whatever its engines speak.
TEST(GatewayDrain, ACallThatRunsMayStillFallBackToItsNextModel) {
    struct Case {
        const char* path;
        const char* protocol;
        const char* second;
    };
    for (const Case& each :
         {Case{"/v1/chat/completions", "openai", "openai"},
          Case{"/v1/chat/completions", "openai", "anthropic"},
          Case{"/v1/messages", "anthropic", "openai"}}) {
        InFlight f;
        f.server.changed_keys = {to_hex(sha256(ScriptedServer::kKey))};  // with the next routes
        f.add_engine({.pieces = {}, .end = EngineScript::End::when_told}, "m", each.protocol);
        f.add_engine(whole_answer(), "n", each.second);
        if (each.second == std::string_view("anthropic"))
            f.engines[1]->script.pieces = {
                R"({"id":"a","type":"message","role":"assistant","model":"u","content":[{"type":"text","text":"Hi!"}],)"
                R"("stop_reason":"end_turn","usage":{"input_tokens":10,"output_tokens":3}})"
            };
        f.begin(
            R"({"model":"m","models":["n"],"max_tokens":50,"messages":[{"role":"user","content":"hello"}]})",
            each.path
        );
        f.wait_until([&] { return f.engines[0]->waiting() == 1; }, "the first engine");
        f.begin_to_drain();
        const int asked = f.server.keys_asked;
        f.server.keys_wait = true;
        f.engines[0]->cut();
        f.wait_until(
            [&] {
                f.engines[0]->cut();  // each attempt
                return f.server.keys_asked > asked || f.answer.has_value();
            },
            "the next model"
        );
        f.expect_not_drained();
        f.server.answer_keys();
        f.wait_until([&] { return f.answer.has_value(); }, "the answer");

        EXPECT_TRUE(f.answer->headers.get("x-penstock-model") == "n") << f.answer->body;
        f.expect_answer_then_drained();
    }
}

TEST(GatewayDrain, IsNotOverWhileARequestIsBeingAdmitted) {
    InFlight f;
    f.add_engine(whole_answer());
    f.server.keys_wait = true;
    f.begin(std::string(kChat));
    f.wait_until([&] { return f.server.keys_asked == 1; }, "the key to be asked for");
    drain(f, true);
    f.wait_until([&] { return f.server.status && f.server.status->told_to_drain; }, "the word");
    f.expect_not_drained();
    f.server.answer_keys();
    f.expect_answer_then_drained();
}

TEST(GatewayDrain, AProcessThatEndsAsksAgainWhatItWasAsking) {
    Fixture f;
    f.add_engine(whole_answer());
    EXPECT_EQ(f.ask(std::string(kChat)).status, 200);
    f.wait_for_records(1);
    f.server.leases_wait = true;
    const int asked = f.server.leases_asked;
    drain(f, true);
    f.wait_until([&] { return f.server.leases_asked > asked; }, "leases to be given back");
    EXPECT_GT(f.server.reserved(), Units()) << "the server has not got to it";
    f.server.leases_wait = false;  // for those who ask from now on
    f.stop_gateway();

    EXPECT_EQ(f.server.reserved(), Units());
}

TEST(GatewayDrain, TakesCallsAgainWhenItIsLifted) {
    Fixture f;
    f.add_engine(whole_answer());
    EXPECT_EQ(f.ask(std::string(kChat)).status, 200);
    drain(f, true);
    wait_for(f, GatewayState::drained);
    EXPECT_EQ(f.server.reserved(), Units());

    drain(f, false);
    const ClientAnswer served = f.ask(std::string(kChat));

    EXPECT_EQ(served.status, 200) << served.body;
    wait_for(f, GatewayState::serving);
    EXPECT_FALSE(f.gateway->draining());
}

TEST(GatewayDrain, ConcernsTheGatewayThatIsNamed) {
    Fixture f;
    f.add_engine(whole_answer());
    f.server.draining = {"another", "gateway"};
    f.apply_routes();
    EXPECT_EQ(f.ask(std::string(kChat)).status, 200);
}

TEST(GatewayStatus, TellsOfEndpointsAndLeasesWhereSomebodyLooks) {
    Fixture f;
    f.add_engine(whole_answer());
    EXPECT_EQ(f.ask(std::string(kChat)).status, 200);
    f.wait_until([&] { return f.server.status.has_value(); }, "a report");
    EXPECT_FALSE(f.server.status->detailed);
    EXPECT_EQ(f.server.status->endpoints.size(), 0U);

    f.server.wants_details = true;
    f.wait_until(
        [&] { return f.server.status->detailed && !f.server.status->lease_uses.empty(); }, "details"
    );

    const ReportGateway& status = *f.server.status;
    ASSERT_EQ(status.endpoints.size(), 1U);
    EXPECT_EQ(status.endpoints[0].endpoint_id, f.routes[0].endpoint.id);
    EXPECT_EQ(status.endpoints[0].model, "m");
    EXPECT_EQ(status.endpoints[0].success_share, 1.0);
    EXPECT_EQ(status.endpoints[0].samples, 1);
    EXPECT_EQ(status.endpoints[0].breaker, BreakerStatus());
    EXPECT_EQ(status.lease_uses.size(), 1U) << "the wallet's";
    EXPECT_EQ(status.lease_uses[0].held, Units());
    EXPECT_TRUE(status.ready);
    EXPECT_EQ(status.routes_version, f.server.routes_version());
}

TEST(GatewayStatus, NamesTheRoutesThatItCannotUse) {
    Fixture f;
    f.add_engine(whole_answer());
    f.routes.push_back(f.routes[0]);
    f.apply_routes();

    f.wait_until(
        [&] { return f.server.status && !f.server.status->refused_routes.empty(); }, "a report"
    );
    EXPECT_TRUE(f.server.status->refused_routes[0].contains("stands twice"));
}

TEST(GatewayKeys, LimitsThatChangedHoldForTheNextCall) {
    Fixture f;
    f.add_engine(whole_answer());
    EXPECT_EQ(f.ask(std::string(kChat)).status, 200);
    f.server.key_limits.emplace().models = {"other"};
    EXPECT_EQ(f.ask(std::string(kChat)).status, 200) << "it is not asked again yet";

    f.server.changed_keys = {to_hex(sha256(ScriptedServer::kKey))};
    f.apply_routes();

    EXPECT_EQ(f.ask(std::string(kChat)).status, 403);
    EXPECT_EQ(f.server.keys_asked, 2);
}

TEST(GatewayTraces, StandInTheRecordOfTheirCall) {
    Fixture f;
    f.add_engine(whole_answer());
    const std::string trace = "0af7651916cd43dd8448eb211c80319c";
    EXPECT_EQ(
        f.ask(std::string(kChat), {{"traceparent", "00-" + trace + "-b7ad6b7169203331-00"}}).status,
        200
    );
    EXPECT_EQ(f.ask(std::string(kChat)).status, 200);

    f.wait_for_records(2);
    std::size_t given = 0;
    for (const auto& [id, record] : f.server.records) {
        ASSERT_TRUE(record.trace_id);
        EXPECT_EQ(record.trace_id->size(), trace.size());
        given += *record.trace_id == trace ? 1 : 0;
    }
    EXPECT_EQ(given, 1U);
    const std::string_view sent = f.engines[0]->requests[1].headers.get("traceparent");
    EXPECT_TRUE(sent.contains(*f.server.records.rbegin()->second.trace_id)) << sent;
}

}  // namespace
}  // namespace penstock::gateway
