// SPDX-License-Identifier: Apache-2.0
#include "gateway/continuation_pair.h"
#include "gateway/key_cache.h"
#include "tokenizer/tokenizer.h"

// Streams that another engine goes on with and whose endpoints have a tokenizer: both halves are
// counted a second time.
namespace penstock::gateway {
namespace {

using End = EngineScript::End;

// Pieces of several tokens each, so that pieces and tokens differ.
constexpr std::string_view kHalf = "one whole half of it, ";
constexpr std::string_view kRest = "and what is left then";

std::int64_t tokens_of(std::string_view text) {
    static const Result<tokenizer::Tokenizer> kTokenizer =
        tokenizer::Tokenizer::from_file(tokenizer_file());
    return *kTokenizer->count(text, tokenizer::SpecialTokens::as_text);
}

struct CountedPair : Pair {
    CountedPair(
        EngineScript first, EngineScript second, const std::vector<std::size_t>& counted = {0, 1}
    )
        : Pair(std::move(first), std::move(second)) {
        const std::string file = tokenizer_file();
        const std::string hash = to_hex(sha256(file));
        server.blobs[hash] = file;
        for (const std::size_t at : counted) routes[at].endpoint.tokenizer_sha256 = hash;
        apply_routes();
        wait_until(
            [&] { return metrics().contains(R"(penstock_gateway_tokenizers{state="loaded"} 1)"); },
            "the tokenizer"
        );
    }
    const CallRecord& first() const { return server.records.begin()->second; }
    const CallRecord& second() const { return server.records.rbegin()->second; }
};

const std::int64_t kPrompt = tokens_of("hello there, engine");

TEST(CountedContinuation, BothHalvesAreCountedWhereTheEnginesTellNothing) {
    CountedPair f(breaks({word(kHalf)}), {.pieces = {word(kRest), kStop, kDone}});
    ASSERT_GT(tokens_of(kHalf), 1);

    const ClientAnswer answer = f.ask_on(chat());

    EXPECT_TRUE(answer.body.ends_with(kDone)) << answer.body;
    const std::int64_t half = tokens_of(kHalf);
    const std::int64_t rest = tokens_of(kRest);
    EXPECT_EQ(
        f.told(2), "upstream_error 0+" + std::to_string(half) + " counted; done " +
                       std::to_string(kPrompt) + "+" + std::to_string(rest) + " counted"
    );
    ASSERT_TRUE(f.first().counted);
    EXPECT_EQ(f.first().counted->input, kPrompt);
    EXPECT_EQ(f.first().counted->output_visible, half);
    ASSERT_TRUE(f.second().counted);
    EXPECT_EQ(f.second().counted->input, kPrompt);
    EXPECT_EQ(f.second().counted->output_visible, rest);
    // The client is told what it is charged for.
    const std::string told = R"("prompt_tokens":)" + std::to_string(kPrompt) +
                             R"(,"completion_tokens":)" + std::to_string(half + rest);
    EXPECT_NE(answer.body.find(told), answer.body.npos) << told << "\n" << answer.body;
    EXPECT_NE(
        answer.body.find(
            R"("end_reason":"done","input_tokens":)" + std::to_string(kPrompt) +
            R"(,"output_tokens":)" + std::to_string(rest)
        ),
        answer.body.npos
    ) << answer.body;
    f.expect_nothing_held();
}

TEST(CountedContinuation, TheTextThatIsReadAgainAndTheBoundAreInTokensNotPieces) {
    const std::int64_t half = tokens_of(kHalf);
    const int told = 40;
    CountedPair f(breaks({word(kHalf)}), {.pieces = {word(kRest), kStop, usage(told, 9), kDone}});
    f.ask_on(chat());
    EXPECT_EQ(
        f.told(2), "upstream_error 0+" + std::to_string(half) + " counted; done " +
                       std::to_string(told - half) + "+9 upstream overlap " + std::to_string(half)
    );
    EXPECT_EQ(f.second().counted->output_visible, tokens_of(kRest));
    EXPECT_NE(
        f.engines[1]->requests[0].body.find(R"("max_tokens":)" + std::to_string(50 - half)),
        std::string::npos
    ) << f.engines[1]->requests[0].body;
}

TEST(CountedContinuation, EachHalfIsCountedByItsOwnEndpointsTokenizerOnly) {
    {
        CountedPair f(breaks({word(kHalf)}), {.pieces = {word(kRest), kStop, kDone}}, {1});
        f.ask_on(chat());
        f.wait_for_records(2);
        EXPECT_FALSE(f.first().counted);
        EXPECT_EQ(f.first().tokens.output_visible, 1) << "pieces";
        ASSERT_TRUE(f.second().counted);
        EXPECT_EQ(f.second().counted->input, kPrompt);
        EXPECT_EQ(f.second().tokens.output_visible, tokens_of(kRest));
    }
    CountedPair f(breaks({word(kHalf)}), {.pieces = {word(kRest), kStop, kDone}}, {0});
    f.ask_on(chat());
    f.wait_for_records(2);
    EXPECT_EQ(f.first().counted->output_visible, tokens_of(kHalf));
    EXPECT_FALSE(f.second().counted);
    EXPECT_EQ(f.second().tokens.output_visible, 1) << "pieces";
}

TEST(CountedContinuation, AClientThatLeavesTheSecondHalfIsChargedTheTextThatCame) {
    CountedPair f(breaks({word(kHalf)}), {.pieces = {word(kRest)}, .end = End::hang});
    {
        OpenStream stream(f);
        EXPECT_TRUE(stream.read_until(kRest, "error").contains(kRest));
    }
    EXPECT_EQ(
        f.told(2), "upstream_error 0+" + std::to_string(tokens_of(kHalf)) +
                       " counted; client_gone " + std::to_string(kPrompt) + "+" +
                       std::to_string(tokens_of(kRest)) + " counted"
    );
    f.expect_nothing_held();
}

// What nobody goes on with is counted once, and what is too long for that left out once.
TEST(CountedContinuation, ATextThatIsTooLongIsToldOnceWhereNobodyGoesOn) {
    std::vector<std::string> pieces(5, word(std::string(60'000, 'a')));
    CountedPair f(breaks(std::move(pieces)), goes_on());
    expect_refusal(f, chat(), "the answer was longer than 64 KiB");
    EXPECT_TRUE(f.metrics().contains("penstock_gateway_texts_not_counted_total 1\n"));
}

}  // namespace
}  // namespace penstock::gateway
