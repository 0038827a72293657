// SPDX-License-Identifier: Apache-2.0
#include "sim/serve_trace.h"

#include <gtest/gtest.h>

namespace penstock::sim {
namespace {

std::string problem_of(std::string_view text) {
    const auto read = parse_serve_trace(text, ServeFormat::automatic, "trace");
    return read ? "valid" : read.error().message;
}

TEST(ServeTrace, ReadsJsonLinesWithBlocks) {
    const auto read = parse_serve_trace(
        R"({"timestamp": 1000, "input_length": 1100, "output_length": 5, "hash_ids": [7, 8, 9]}
{"timestamp": 3000, "input_length": 1024, "output_length": 6, "hash_ids": [7, 8]}
)",
        ServeFormat::automatic, "trace"
    );
    ASSERT_TRUE(read) << read.error().message;
    ASSERT_EQ(read->size(), 2U);
    EXPECT_EQ((*read)[0].at, Duration(0));
    EXPECT_EQ((*read)[1].at, Duration(2s));
    // The third block of the first prompt is not full.
    EXPECT_EQ((*read)[0].prompt.size(), 2U);
    EXPECT_EQ((*read)[0].prompt, (*read)[1].prompt);
    EXPECT_EQ((*read)[1].output_tokens, 6);
}

TEST(ServeTrace, ReadsCsvWithTimes) {
    const auto read = parse_serve_trace(
        "TIMESTAMP,ContextTokens,GeneratedTokens\r\n"
        "2023-11-16 18:15:46.6805900,374,44\r\n2023-11-16 18:15:50.9951690,396,109\r\n",
        ServeFormat::automatic, "trace"
    );
    ASSERT_TRUE(read) << read.error().message;
    ASSERT_EQ(read->size(), 2U);
    EXPECT_EQ((*read)[1].at, Duration(4'314'579us));
    EXPECT_EQ((*read)[0].input_tokens, 374);
    EXPECT_TRUE((*read)[0].prompt.empty());
}

TEST(ServeTrace, NamesTheLineOfAMistake) {
    EXPECT_EQ(problem_of(""), "trace: empty; a heading is expected");
    EXPECT_EQ(problem_of("TIMESTAMP,ContextTokens,GeneratedTokens\n"), "trace: no request in it");
    EXPECT_TRUE(problem_of("{}\n").starts_with("trace:1: ")) << problem_of("{}\n");
    EXPECT_EQ(
        problem_of("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46,1,1\n"
                   "2023-11-16 18:15:48,1,1\n2023-11-16 18:15:47,1,1\n"),
        "trace:4: earlier than the request before it"
    );
    EXPECT_TRUE(problem_of("TIMESTAMP,ContextTokens,GeneratedTokens\nyesterday,1,1\n")
                    .starts_with("trace:2: column TIMESTAMP: 'yesterday' is no time"));
    EXPECT_TRUE(problem_of("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46,0,1\n")
                    .starts_with("trace:2: column ContextTokens: "));
}

TEST(ServeTrace, RefusesBlocksThatDoNotFitThePrompt) {
    EXPECT_EQ(
        problem_of(R"({"timestamp": 0, "input_length": 513, "output_length": 5, "hash_ids": [7]})"),
        "trace:1: hash_ids: expected 2 of them, one for every 512 tokens of input_length that were "
        "begun"
    );
}

}  // namespace
}  // namespace penstock::sim
