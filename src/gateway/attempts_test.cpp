// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>

#include "gateway/gateway_fixture.h"

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

std::size_t charged(const Fixture& f) {
    return static_cast<std::size_t>(std::ranges::count_if(f.server.records, [](const auto& entry) {
        return !entry.second.attempt_of;
    }));
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

TEST(Attempts, ASlowFirstTokenIsHedgedAndTheLoserIsThePlatforms) {
    Fixture f({.hedge = true});
    f.add_engine(good());
    f.add_engine(good());
    std::size_t calls = 0;
    for (; calls < 60; ++calls) EXPECT_EQ(f.ask(kStreamed).status, 200);
    f.engines[0]->script = {.silent = true};

    std::string first = kStreamed;
    first.insert(first.size() - 1, R"(,"provider":{"order":["provider-1"]})");
    const ClientAnswer answer = f.ask(first);
    EXPECT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.headers.get("x-penstock-provider"), "provider-2");
    ++calls;

    f.wait_until(
        [&] { return charged(f) == calls && f.server.records.size() > calls; },
        "the calls' records and one of a loser"
    );
    for (const auto& [id, call] : f.server.records) {
        if (!call.attempt_of) continue;
        ASSERT_TRUE(f.server.records.contains(*call.attempt_of));
        EXPECT_NE(f.server.records.at(*call.attempt_of).endpoint_id, call.endpoint_id);
        EXPECT_EQ(call.tokens.input_fresh, 19 / 6);
        EXPECT_EQ(call.tokens.output_visible, 0);
    }
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
