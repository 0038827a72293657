// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "gateway/gateway_fixture.h"
#include "gateway/key_cache.h"
#include "gateway/tokenizer_shelf.h"
#include "routing/answer_texts.h"

// The second meter of a gateway, as its server and its clients meet it.
namespace penstock::gateway {
namespace {

std::string chat_about(std::size_t bytes) {
    return R"({"model":"m","max_tokens":50,"messages":[{"role":"user","content":")" +
           std::string(bytes, 'a') + R"("}]})";
}

// One engine, whose endpoint names a tokenizer of this hash.
void name_tokenizer(Fixture& f, std::string sha256) {
    f.add_engine(whole_answer());
    f.routes.back().endpoint.tokenizer_sha256 = std::move(sha256);
    f.apply_routes();
}

const CallRecord& only_record(Fixture& f) {
    f.wait_for_records(1);
    return f.server.records.begin()->second;
}

struct Loaded : Fixture {
    Loaded() {
        const std::string file = tokenizer_file();
        server.blobs[to_hex(sha256(file))] = file;
        name_tokenizer(*this, to_hex(sha256(file)));
        wait_until(
            [&] { return metrics().contains(R"(penstock_gateway_tokenizers{state="loaded"} 1)"); },
            "the tokenizer"
        );
    }
};

TEST(SecondMeterCalls, ACallHasBothCounts) {
    Loaded f;
    EXPECT_EQ(f.ask(std::string(kChat)).status, 200);
    const CallRecord& call = only_record(f);
    EXPECT_EQ(call.basis, UsageBasis::upstream);
    EXPECT_EQ(call.tokens.output_visible, 3);
    ASSERT_TRUE(call.counted);
    EXPECT_EQ(call.counted->tokenizer, f.routes.back().endpoint.tokenizer_sha256);
    EXPECT_GT(call.counted->input, 0);
    EXPECT_GT(call.counted->output_visible, 0);
}

TEST(SecondMeterCalls, TextsToBeEmbeddedAreCountedWhereTheEngineTellsNothing) {
    Loaded f;
    f.engines.back()->script.pieces = {R"({"object":"list","model":"u","data":[]})"};
    const std::string body = R"({"model":"m","input":["water","water"]})";
    EXPECT_EQ(f.ask_at("/v1/embeddings", body).status, 200);
    const CallRecord& call = only_record(f);
    EXPECT_EQ(call.basis, UsageBasis::counted);
    ASSERT_TRUE(call.counted);
    EXPECT_GT(call.counted->input, 0);
    EXPECT_EQ(call.tokens.input_fresh, call.counted->input);
    EXPECT_EQ(call.tokens.output_visible, 0);
}

// What the client is told is what its bill says.
TEST(SecondMeterCalls, AStreamWithoutUsageTellsWhatTheTokenizerCounted) {
    Loaded f;
    f.engines.back()->script.pieces = {
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"water, more water\"}}]}\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
        "data: [DONE]\n\n"
    };
    f.engines.back()->script.content_type = "text/event-stream";
    const std::string told =
        f.ask(R"({"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":)"
              R"([{"role":"user","content":"water"}],"max_tokens":50})")
            .body;
    const CallRecord& call = only_record(f);
    ASSERT_TRUE(call.counted && call.tokens.output_visible) << told;
    EXPECT_GT(*call.tokens.output_visible, 1) << "one piece, but several tokens";
    EXPECT_NE(
        told.find("\"completion_tokens\":" + std::to_string(*call.tokens.output_visible)),
        std::string::npos
    ) << told;
}

TEST(SecondMeterCalls, ATextForWhichThereIsNoRoomIsLeftOutAndThatIsTold) {
    Loaded f;
    EXPECT_EQ(f.ask(chat_about(TokenizerShelf::kWaitingBytesMax)).status, 200);
    const CallRecord& call = only_record(f);
    EXPECT_EQ(call.basis, UsageBasis::upstream);
    ASSERT_TRUE(call.counted);
    EXPECT_EQ(call.counted->input, std::nullopt);
    EXPECT_GT(call.counted->output_visible, 0);
    EXPECT_TRUE(f.metrics().contains("penstock_gateway_texts_not_counted_total 1")) << f.metrics();
}

TEST(SecondMeterCalls, AnAnswerThatIsTooLongIsLeftOutAndThatIsTold) {
    Loaded f;
    f.engines.back()->script.pieces = {
        R"({"id":"c","model":"u","choices":[{"index":0,"message":{"role":"assistant","content":")",
        std::string(routing::AnswerTexts::kBytesMax + 1, 'a'),
        R"("},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":3}})"
    };
    EXPECT_EQ(f.ask(std::string(kChat)).status, 200);
    const CallRecord& call = only_record(f);
    ASSERT_TRUE(call.counted);
    EXPECT_GT(call.counted->input, 0);
    EXPECT_EQ(call.counted->output_visible, std::nullopt);
    EXPECT_TRUE(f.metrics().contains("penstock_gateway_texts_not_counted_total 1")) << f.metrics();
}

TEST(SecondMeterCalls, ATokenizerThatCannotBeHadIsNoFailureOfCalls) {
    Fixture f;
    name_tokenizer(f, std::string(64, '0'));
    f.wait_until(
        [&] { return f.metrics().contains(R"(penstock_gateway_tokenizers{state="failed"} 1)"); },
        "the failure"
    );
    EXPECT_EQ(f.ask(std::string(kChat)).status, 200);
    EXPECT_EQ(only_record(f).counted, std::nullopt);
}

TEST(SecondMeterCalls, AFileThatIsNotWhatItsNameSaysIsNotUsed) {
    Fixture f;
    f.server.blobs[std::string(64, '1')] = tokenizer_file();
    name_tokenizer(f, std::string(64, '1'));
    f.wait_until(
        [&] { return f.metrics().contains(R"(penstock_gateway_tokenizers{state="failed"} 1)"); },
        "the failure"
    );
    EXPECT_EQ(f.ask(std::string(kChat)).status, 200);
    EXPECT_EQ(only_record(f).counted, std::nullopt);
}

}  // namespace
}  // namespace penstock::gateway
