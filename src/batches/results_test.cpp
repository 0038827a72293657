// SPDX-License-Identifier: Apache-2.0
#include "batches/results.h"

#include <gtest/gtest.h>

namespace penstock::batches {
namespace {

const RequestId kId(RawId{1, 2});

TEST(BatchResults, RecordsAreReadBackInOrder) {
    std::string file;
    append_record(file, ResultKind::output, 12, R"({"a":1})");
    append_record(file, ResultKind::retry, 3, "");
    append_record(file, ResultKind::error, 49'999, "{}");

    std::string_view rest = file;
    const ResultRecord first = *next_record(rest);
    const ResultRecord second = *next_record(rest);
    const ResultRecord third = *next_record(rest);

    EXPECT_EQ(first.text, R"({"a":1})");
    EXPECT_EQ(first.line, 12);
    EXPECT_EQ(second.kind, ResultKind::retry);
    EXPECT_EQ(second.text, "");
    EXPECT_EQ(third.line, 49'999);
    EXPECT_TRUE(rest.empty());
}

TEST(BatchResults, WhatNoVersionWroteIsRefused) {
    for (std::string_view text :
         {"o 1 {}", "x 1 {}\n", "o1 {}\n", "o -1 {}\n", "o 1{}\n", "\n", "o \n"})
        EXPECT_FALSE(next_record(text).has_value()) << text;
}

TEST(BatchResults, AnAnswerIsOneLineWhateverTheEngineWrote) {
    const std::string line =
        answer_line({.custom_id = "a\"b", .status = 200, .body = "{\n \"x\": \"1\\n2\"\r\n}"}, kId);
    EXPECT_EQ(
        line, R"({"id":"batch_req_)" + to_string(kId.raw()) +
                  R"(","custom_id":"a\"b","response":{"status_code":200,"request_id":")" +
                  to_string(kId) + R"(","body":{  "x": "1\n2"  }},"error":null})"
    );
}

TEST(BatchResults, ABodyThatIsNotJsonBecomesAString) {
    const std::string line =
        answer_line({.custom_id = "a", .status = 502, .body = "bad\ngateway"}, kId);
    EXPECT_NE(line.find(R"("body":"bad\u000agateway"})"), std::string::npos) << line;
}

TEST(BatchResults, AnErrorLineHasNoResponse) {
    EXPECT_EQ(
        error_line("a", kId, "batch_expired", "too late"),
        R"({"id":"batch_req_)" + to_string(kId.raw()) +
            R"(","custom_id":"a","response":null,"error":{"code":"batch_expired","message":"too late"}})"
    );
}

}  // namespace
}  // namespace penstock::batches
