// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/describe/enum_to_string.hpp>

#include "gateway/gateway_fixture.h"
#include "io/task_group.h"

// Attempts before the first content, over real sockets.
namespace penstock::gateway {
namespace {

using End = EngineScript::End;

const std::string kStreamed =
    R"({"model":"m","messages":[{"role":"user","content":"hello there, engine"}],"max_tokens":50,"stream":true})";
const std::string kAnyChat =
    R"({"model":"m","messages":[{"role":"user","content":"hello"}],"max_tokens":50,"stream":true})";
const std::string kRole =
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n";
const std::string kText = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n";
const std::string kEnd =
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: "
    "[DONE]\n\n";
const std::string kError = "data: {\"error\":{\"message\":\"out of memory\"}}\n\n";

EngineScript good() { return {.pieces = {kRole, kText, kEnd}}; }

// Suppliers in the order in which they are asked.
std::string in_order(std::string body, const std::string& suppliers) {
    return body.insert(body.size() - 1, R"(,"provider":{"order":[)" + suppliers + "]}");
}
const std::string kFirstThenSecond =
    in_order(kStreamed, R"("provider-1","provider-2","provider-3")");

io::Task<void> ask_into(Fixture* f, std::string body, ClientAnswer* answer) {
    *answer = co_await f->ask_task(std::move(body));
}

// What a record says of its engine, its end and its tokens.
std::string told(const Fixture& f, const CallRecord& record) {
    const auto route = std::ranges::find(f.routes, record.endpoint_id, [](const Route& one) {
        return one.endpoint.id;
    });
    return route->endpoint.provider + " " +
           boost::describe::enum_to_string(record.end_reason, "?") + " " +
           std::to_string(record.status) + " " + std::to_string(*record.tokens.input_fresh) + "+" +
           std::to_string(*record.tokens.output_visible);
}

// Those of the only call, in the order in which they ended; each is checked against the call's.
std::vector<std::string> attempts_of(Fixture& f, std::size_t count) {
    f.wait_until(
        [&] { return !f.server.records.empty() && f.server.attempts.size() >= count; },
        "the records of the call and of its attempts"
    );
    EXPECT_EQ(f.server.records.size(), 1U);
    const CallRecord& call = f.server.records.begin()->second;
    std::vector<const CallRecord*> attempts;
    for (const auto& [id, attempt] : f.server.attempts) {
        EXPECT_EQ(attempt.attempt_of, call.id);
        EXPECT_EQ(attempt.trace_id, call.trace_id);
        EXPECT_FALSE(attempt.drawn);
        EXPECT_LE(call.started_at, attempt.started_at);
        EXPECT_LE(attempt.started_at, attempt.ended_at);
        EXPECT_LE(attempt.ended_at, call.ended_at);
        attempts.push_back(&attempt);
    }
    std::ranges::sort(attempts, {}, &CallRecord::ended_at);
    std::vector<std::string> all;
    for (const CallRecord* attempt : attempts) all.push_back(told(f, *attempt));
    all.push_back(told(f, call));
    return all;
}

EngineScript failing(int status) {
    return {.status = status, .content_type = "application/json", .pieces = {"{}"}};
}

// Calls until the bad engine was asked as well; all are answered by the good one.
void expect_answers_beside(EngineScript bad, const std::string& path = "/v1/chat/completions") {
    Fixture f;
    f.add_engine(std::move(bad));
    f.add_engine(good());
    for (int i = 0; i < 40 && f.engines[0]->requests.empty(); ++i) {
        const ClientAnswer answer = f.ask_at(path, kAnyChat);
        EXPECT_EQ(answer.status, 200) << answer.body;
        EXPECT_FALSE(answer.cut) << answer.body;
        EXPECT_FALSE(answer.body.contains("error")) << answer.body;
        EXPECT_EQ(answer.headers.get("x-penstock-provider"), "provider-2");
    }
    EXPECT_FALSE(f.engines[0]->requests.empty());
}

TEST(Attempts, AStreamThatBreaksBeforeItsFirstContentIsTriedElsewhere) {
    expect_answers_beside({.pieces = {kRole}, .end = End::cut});
    expect_answers_beside({.pieces = {kRole}, .end = End::cut}, "/v1/messages");
}

TEST(Attempts, AStreamThatEndsWithoutContentIsTriedElsewhere) {
    expect_answers_beside({.pieces = {kRole}});
}

TEST(Attempts, AnErrorInTheStreamBeforeItsFirstContentIsTriedElsewhere) {
    expect_answers_beside({.pieces = {kRole, kError}});
    expect_answers_beside({.pieces = {kRole, kError}}, "/v1/messages");
}

TEST(Attempts, NothingIsTriedElsewhereAfterTheFirstContent) {
    Fixture f;
    f.add_engine({.pieces = {kRole, kText}, .end = End::cut});
    f.add_engine({.pieces = {kRole, kText}, .end = End::cut});
    EXPECT_TRUE(f.ask(kStreamed).cut);
    EXPECT_EQ(f.engines[0]->requests.size() + f.engines[1]->requests.size(), 1U);
}

TEST(Attempts, AnEngineThatIsSilentForTooLongIsGivenUpWhileThereIsTimeForAnother) {
    Fixture f;
    f.add_engine({.pieces = {kRole}, .end = End::hang});
    f.add_engine(good());
    for (int i = 0; i < 20 && f.engines[0]->requests.empty(); ++i) {
        const ClientAnswer answer = f.ask(kStreamed, {{"x-penstock-timeout", "4100ms"}});
        EXPECT_EQ(answer.status, 200) << answer.body;
        EXPECT_FALSE(answer.cut);
    }
    EXPECT_FALSE(f.engines[0]->requests.empty());
}

TEST(Attempts, AFailedOneIsARecordOfItsOwnThatNobodyIsChargedFor) {
    Fixture f;
    f.add_engine(failing(500));
    f.add_engine(failing(429));
    f.add_engine(good());
    EXPECT_EQ(f.ask(kFirstThenSecond).status, 200);
    EXPECT_EQ(
        attempts_of(f, 2), (std::vector<std::string>{
                               "provider-1 upstream_error 500 0+0", "provider-2 refused 429 0+0",
                               "provider-3 done 200 3+1"
                           })
    );
}

TEST(Attempts, TheLastOfACallThatFailsIsTheCallsOwnRecord) {
    Fixture f;
    for (int i = 0; i < 3; ++i) f.add_engine(failing(500));
    EXPECT_EQ(f.ask(kFirstThenSecond).status, 502);
    EXPECT_EQ(
        attempts_of(f, 2),
        (std::vector<std::string>{
            "provider-1 upstream_error 500 0+0", "provider-2 upstream_error 500 0+0",
            "provider-3 upstream_error 502 0+0"
        })
    );
}

TEST(Attempts, OneThatWasNotReachedOrBrokeOffOwesNothing) {
    Fixture f;
    f.add_engine({.pieces = {kRole}, .end = End::cut});
    f.add_engine(good());
    f.add_engine(good());
    f.routes[1].endpoint.url = "http://127.0.0.1:1";
    f.apply_routes();
    EXPECT_EQ(f.ask_at("/v1/messages", kFirstThenSecond).status, 200);
    EXPECT_EQ(
        attempts_of(f, 2), (std::vector<std::string>{
                               "provider-1 upstream_error 200 0+0",
                               "provider-2 upstream_error 0 0+0", "provider-3 done 200 3+1"
                           })
    );
}

TEST(Attempts, OneThatWorkedAndWasCutOffForBeingLateIsThePlatformsToPay) {
    Fixture f;
    f.add_engine({.pieces = {kRole}, .end = End::hang});
    f.add_engine(good());
    EXPECT_EQ(f.ask(kFirstThenSecond, {{"x-penstock-timeout", "4100ms"}}).status, 200);
    EXPECT_EQ(
        attempts_of(f, 1),
        (std::vector<std::string>{"provider-1 timeout 200 3+0", "provider-2 done 200 3+1"})
    );
}

TEST(Attempts, ACallWithoutASecondOneHasOneRecord) {
    Fixture f;
    f.add_engine(failing(503));
    EXPECT_EQ(f.ask(kStreamed).status, 503);
    EXPECT_EQ(f.ask(kStreamed).status, 503);
    f.wait_for_records(2);
    EXPECT_TRUE(f.server.attempts.empty());
}

// Both have shown enough first tokens for one to be late; the calls that did so are forgotten.
void show_two_engines(Fixture& f) {
    constexpr std::size_t kCalls = 60;
    f.add_engine(good());
    f.add_engine(good());
    for (std::size_t i = 0; i < kCalls; ++i) EXPECT_EQ(f.ask(kStreamed).status, 200);
    f.wait_for_records(kCalls);
    f.server.records.clear();
    f.server.attempts.clear();
}

TEST(Attempts, ASlowFirstTokenIsHedgedAndTheLoserIsThePlatforms) {
    Fixture f({.hedge = true});
    f.add_engine(good());
    f.add_engine(good());
    std::size_t calls = 0;
    for (; calls < 60; ++calls) EXPECT_EQ(f.ask(kStreamed).status, 200);
    f.engines[0]->script = {.silent = true};

    const ClientAnswer answer = f.ask(kFirstThenSecond);
    EXPECT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.headers.get("x-penstock-provider"), "provider-2");
    ++calls;

    f.wait_until(
        [&] { return f.server.records.size() == calls && !f.server.attempts.empty(); },
        "the calls' records and one of a loser"
    );
    for (const auto& [id, call] : f.server.attempts) {
        ASSERT_TRUE(f.server.records.contains(*call.attempt_of));
        EXPECT_NE(f.server.records.at(*call.attempt_of).endpoint_id, call.endpoint_id);
        EXPECT_EQ(call.tokens.input_fresh, 19 / 6);
        EXPECT_EQ(call.tokens.output_visible, 0);
    }
}

TEST(Attempts, AHedgeThatFailsByItselfIsARecordAsWell) {
    Fixture f({.hedge = true});
    show_two_engines(f);
    f.engines[0]->script = {.silent = true};
    f.engines[1]->script = failing(500);

    EXPECT_EQ(f.ask(kFirstThenSecond, {{"x-penstock-timeout", "4100ms"}}).status, 502);

    // The second engine is asked beside the first one, and again when that one is given up. What
    // no answer shows to have been reached owes nothing.
    EXPECT_EQ(
        attempts_of(f, 2), (std::vector<std::string>{
                               "provider-2 upstream_error 500 0+0", "provider-1 timeout 0 0+0",
                               "provider-2 upstream_error 502 0+0"
                           })
    );
}

// The first engine fails while the second one, which was asked beside it, is still to answer.
TEST(Attempts, AHedgeGoesOnWhereTheFirstEngineFails) {
    Fixture f({.hedge = true});
    show_two_engines(f);
    f.engines[0]->script = {.pieces = {kRole}, .end = End::when_told};
    f.engines[1]->script = {.pieces = {kRole}, .end = End::when_told, .rest = {kText, kEnd}};

    ClientAnswer answer;
    io::TaskGroup group(f.runtime.executor(), "asks");
    group.spawn(ask_into(&f, kFirstThenSecond, &answer));
    f.wait_until(
        [&] { return f.engines[0]->waiting() == 1 && f.engines[1]->waiting() == 1; },
        "both engines to be asked"
    );
    f.engines[0]->cut();
    f.wait_until([&] { return f.engines[0]->waiting() == 0; }, "the first engine to break off");
    EXPECT_EQ(answer.status, 0);
    f.engines[1]->cut();
    f.wait_until([&] { return answer.status != 0; }, "the answer");
    f.runtime.block_on(group.close());

    EXPECT_EQ(answer.status, 200) << answer.body;
    EXPECT_FALSE(answer.cut);
    EXPECT_EQ(answer.headers.get("x-penstock-provider"), "provider-2");
    EXPECT_EQ(
        attempts_of(f, 1),
        (std::vector<std::string>{"provider-1 upstream_error 200 0+0", "provider-2 done 200 3+1"})
    );
}

TEST(Attempts, NobodyIsHedgedWhereThatIsNotWanted) {
    Fixture f;
    f.add_engine(good());
    f.add_engine(good());
    for (int i = 0; i < 60; ++i) EXPECT_EQ(f.ask(kStreamed).status, 200);
    EXPECT_EQ(f.engines[0]->requests.size() + f.engines[1]->requests.size(), 60U);
}

}  // namespace
}  // namespace penstock::gateway
