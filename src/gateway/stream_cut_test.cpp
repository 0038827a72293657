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

ExactMoney charge(const CallRecord& call) { return *routing::charge_of(call.tokens, {call.price_input, call.price_output}); }

struct Cut {
    ClientAnswer answer;
    CallRecord call;
};

Cut cut_at(Fixture& f, const std::string& stream, std::size_t at) {
    f.engines[0]->script = {.pieces = {stream.substr(0, at)}, .end = at == stream.size() ? EngineScript::End::whole : EngineScript::End::cut};
    f.server.records.clear();
    Cut cut{.answer = f.ask(std::string(kChat)), .call = {}};
    f.wait_for_records(1);
    EXPECT_EQ(f.server.records.size(), 1U) << at;
    if (!f.server.records.empty()) cut.call = f.server.records.begin()->second;
    return cut;
}

void expect_honest_cuts(std::string_view name) {
    const std::string stream = recording(name);
    const std::size_t done = stream.find("data: [DONE]");
    ASSERT_NE(done, std::string::npos);
    Fixture f;
    f.add_engine({});
    ExactMoney before;
    for (std::size_t at = 0; at <= stream.size(); ++at) {
        const Cut cut = cut_at(f, stream, at);
        const bool whole = cut.call.end_reason == EndReason::done;
        EXPECT_GE(charge(cut.call), before) << at;
        EXPECT_LE(cut.answer.body.size() == 0 ? 0 : 1, 1);
        if (whole) EXPECT_GE(at, done) << at;
        // What the engine did not send is not made up.
        EXPECT_EQ(cut.answer.body.find("[DONE]") != std::string::npos, whole) << at;
        EXPECT_EQ(cut.answer.cut, !whole) << at;
        EXPECT_EQ(cut.answer.body.find(R"("error")") != std::string::npos, !whole) << at;
        const Money hold = *parse_money(cut.answer.headers.get("x-penstock-max-cost"));
        EXPECT_LE(*ceil_money(charge(cut.call)), hold) << at;
        before = charge(cut.call);
        if (::testing::Test::HasFailure()) return;
    }
}

TEST(StreamCut, IsHonestAtEveryByteOfALlamaCppStream) { expect_honest_cuts("llama_cpp.sse"); }
TEST(StreamCut, IsHonestAtEveryByteOfAReasoningStream) { expect_honest_cuts("reasoning.sse"); }

}  // namespace
}  // namespace penstock::gateway
