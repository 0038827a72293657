// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "gateway/gateway_fixture.h"
#include "routing/call_meter.h"

// A recorded answer of an engine, cut at every byte.
namespace penstock::gateway {
namespace {

constexpr std::string_view kChat =
    R"({"model":"m","messages":[{"role":"user","content":"Say hello in five words, please."}],"max_tokens":64,"stream":true})";

std::string recording(std::string_view name) {
    std::ifstream file("testdata/" + std::string(name), std::ios::binary);
    EXPECT_TRUE(file) << name;
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

ExactMoney charge(const CallRecord& call) {
    return *routing::charge_of(call.tokens, {call.price_input, call.price_output});
}

// All cuts first, then their records: settling goes on beside. New endpoints now and then keep the
// breaker from leaving the engine alone, as it would after a few failures.
std::vector<ClientAnswer> answers_of_cuts(Fixture& f, const std::string& stream) {
    std::vector<ClientAnswer> answers;
    std::size_t asked = 0;
    for (std::size_t at = 0; at <= stream.size(); ++at) {
        const bool cut = at < stream.size();
        f.engines[0]->script = {
            .pieces = {stream.substr(0, at)},
            .end = cut ? EngineScript::End::cut : EngineScript::End::whole
        };
        answers.push_back(f.ask(std::string(kChat)));
        ++asked;
        if (at % 4 == 3) f.renew_endpoints();
    }
    f.wait_for_records(asked);
    EXPECT_EQ(f.server.records.size(), asked);
    return answers;
}

void expect_honest_cuts(std::string_view name) {
    const std::string stream = recording(name);
    const std::size_t done = stream.find("data: [DONE]");
    ASSERT_NE(done, std::string::npos);
    Fixture f;
    f.add_engine({});

    const std::vector<ClientAnswer> answers = answers_of_cuts(f, stream);

    ExactMoney before;
    for (std::size_t at = 0; at < answers.size() && !::testing::Test::HasFailure(); ++at) {
        const ClientAnswer& answer = answers[at];
        const auto id = RequestId::parse(answer.headers.get("x-penstock-call"));
        ASSERT_TRUE(id && f.server.records.contains(*id)) << at;
        const CallRecord& call = f.server.records.at(*id);
        const bool whole = call.end_reason == EndReason::done;
        if (whole) EXPECT_GT(at, done) << at;
        // What the engine did not send is not made up, and what is missing is told.
        EXPECT_EQ(answer.body.find("[DONE]") != std::string::npos, whole) << at;
        EXPECT_EQ(answer.body.find(R"("error")") != std::string::npos, !whole) << at;
        // Nothing was said yet: the client is told with a status instead of a cut stream.
        const bool unsaid = answer.status == 502;
        EXPECT_EQ(answer.cut, !whole && !unsaid) << at;
        EXPECT_GE(charge(call), before) << at;
        if (unsaid) EXPECT_EQ(charge(call), ExactMoney()) << at;
        if (unsaid) continue;
        EXPECT_LE(
            *ceil_money(charge(call)), *parse_money(answer.headers.get("x-penstock-max-cost"))
        ) << at;
        before = charge(call);
    }
    EXPECT_GT(before, ExactMoney());
}

TEST(StreamCut, IsHonestAtEveryByteOfALlamaCppStream) { expect_honest_cuts("llama_cpp.sse"); }
TEST(StreamCut, IsHonestAtEveryByteOfAReasoningStream) { expect_honest_cuts("reasoning.sse"); }

// The engine goes on; the client leaves after k events.
TEST(StreamCut, ChargesWhatAClientGotThatLeavesAfterAnyEvent) {
    const std::string stream = recording("llama_cpp.sse");
    Fixture f;
    f.add_engine({});
    ExactMoney before;
    std::size_t events = 0;
    for (std::size_t end = stream.find("\n\n"); end != std::string::npos;
         end = stream.find("\n\n", end + 2)) {
        // What comes before the first content is held back until that comes.
        if (++events; !stream.substr(0, end).contains(R"("content":")")) continue;
        f.engines[0]->script = {
            .pieces = {stream.substr(0, end + 2)}, .end = EngineScript::End::hang
        };
        const std::size_t known = f.server.records.size();
        f.leave_after(std::string(kChat), events);
        f.wait_for_records(known + 1);
        ASSERT_EQ(f.server.records.size(), known + 1);
        const CallRecord& call = f.server.records.rbegin()->second;  // ids rise with time
        EXPECT_EQ(
            call.end_reason, end + 2 == stream.size() ? EndReason::done : EndReason::client_gone
        ) << events;
        EXPECT_GE(charge(call), before) << events;
        before = charge(call);
    }
    EXPECT_EQ(events, 7U);
    EXPECT_GT(before, ExactMoney());
}

}  // namespace
}  // namespace penstock::gateway
