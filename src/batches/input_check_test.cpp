// SPDX-License-Identifier: Apache-2.0
#include "batches/input_check.h"

#include <gtest/gtest.h>

namespace penstock::batches {
namespace {

constexpr std::string_view kChat = "/v1/chat/completions";

std::string line(std::string_view id, std::string_view model = "m") {
    return R"({"custom_id":")" + std::string(id) +
           R"(","method":"POST","url":"/v1/chat/completions","body":{"model":")" +
           std::string(model) + R"(","messages":[]}})" + "\n";
}

CheckedInput checked(std::string_view text, std::size_t step = 1 << 20) {
    InputCheck check{std::string(kChat)};
    for (; !text.empty(); text.remove_prefix(std::min(step, text.size())))
        check.feed(text.substr(0, step));
    return check.finish();
}

std::string faults(const CheckedInput& input) {
    std::string all;
    for (const BatchFault& fault : input.faults) {
        all += std::to_string(fault.line.value_or(0)) + " " + fault.code;
        if (fault.param) all += " " + *fault.param;
        all += "\n";
    }
    return all;
}

TEST(BatchInput, CountsItsLinesAndNamesTheModel) {
    const CheckedInput input = checked(line("a") + "\n  \n" + line("b"));

    EXPECT_EQ(faults(input), "");
    EXPECT_EQ(input.lines, 2);
    EXPECT_EQ(input.model, "m");
    EXPECT_EQ(input.index, std::vector<std::uint64_t>{0});
}

TEST(BatchInput, ReadsTheSameHoweverItIsCut) {
    const std::string text = line("a") + line("b") + "{\n" + line("b");
    const std::string whole = faults(checked(text));
    EXPECT_EQ(whole, "3 invalid_json_line\n4 duplicate_custom_id custom_id\n");
    EXPECT_EQ(faults(checked(text, 1)), whole);
    EXPECT_EQ(faults(checked(text, 7)), whole);
}

TEST(BatchInput, TheLastLineNeedsNoLineFeed) {
    std::string text = line("a");
    text.pop_back();
    EXPECT_EQ(checked(text).lines, 1);
}

TEST(BatchInput, EveryFaultNamesItsLineCauseAndRemedy) {
    const CheckedInput input = checked(
        "not json\n" + line("a") +
        R"({"custom_id":"b","method":"GET","url":"/v1/chat/completions","body":{"model":"m"}})"
        "\n"
        R"({"custom_id":"c","method":"POST","url":"/v1/embeddings","body":{"model":"m"}})"
        "\n" +
        line("d", "other") +
        R"({"custom_id":"e","method":"POST","url":"/v1/chat/completions","body":{}})"
        "\n"
        R"({"method":"POST","url":"/v1/chat/completions","body":{"model":"m"}})"
        "\n"
        R"({"custom_id":"f","method":"POST","url":"/v1/chat/completions","body":{"model":"m","stream":true}})"
        "\n"
        R"({"custom_id":"","method":"POST","url":"/v1/chat/completions","body":{"model":"m"}})"
        "\n"
        R"({"custom_id":"g","method":"POST","url":"/v1/chat/completions","body":[]})"
        "\n"
        R"({"custom_id":"h","methode":"POST"})"
    );
    EXPECT_EQ(
        faults(input),
        "1 invalid_json_line\n3 invalid_method method\n4 invalid_url url\n5 mismatched_model "
        "body.model\n"
        "6 missing_required_parameter body.model\n7 missing_required_parameter custom_id\n"
        "8 invalid_request body.stream\n9 invalid_custom_id custom_id\n10 invalid_request body\n"
        "11 invalid_request methode\n"
    );
    EXPECT_EQ(
        input.faults[2].message,
        "line 4: url: '/v1/embeddings' is not the batch's endpoint '/v1/chat/completions': put "
        "other "
        "endpoints' lines in another batch"
    );
}

// The platform chooses where lines run: one that were bound to another engine, or that went to
// another model, could not be run as the batch promises.
TEST(BatchInput, WhatOnlyTheCallItselfCouldChooseIsAFault) {
    const auto with = [](std::string_view id, std::string_view more) {
        std::string text = line(id);
        return text.insert(text.find("\"messages\""), std::string(more) + ",");
    };
    const CheckedInput input = checked(
        with("a", R"("provider":{"quantizations":["fp8"]})") + with("b", R"("models":["n"])") +
        with("c", R"("prov\u0069der":{"allow_fallbacks":false})") +
        with("d", R"("provider":null,"models":null,"session_id":"s")") +
        with("e", R"("models":null,"models":["n"])")
    );
    EXPECT_EQ(
        faults(input),
        "1 unsupported_parameter body.provider\n2 unsupported_parameter body.models\n"
        "3 unsupported_parameter body.provider\n5 unsupported_parameter body.models\n"
    );
    EXPECT_EQ(
        input.faults[0].message,
        "line 1: body.provider: the platform chooses the engine of each line: leave it out, and "
        "let limits of the batch's key name its providers and sites"
    );
    EXPECT_EQ(
        input.faults[1].message,
        "line 2: body.models: a batch has one model, at its batch price: leave it out, and put "
        "lines for other models in another batch"
    );
}

TEST(BatchInput, AnEmptyFileIsAFault) { EXPECT_EQ(faults(checked("\n\n")), "0 empty_file\n"); }

TEST(BatchInput, ALineThatIsTooLongIsAFaultAndIsNotKept) {
    const std::string text = line("a") + std::string(kLineBytesMax + 1, 'x') + "\n" + line("b");
    EXPECT_EQ(faults(checked(text, 65536)), "2 line_too_large\n");
}

TEST(BatchInput, LooksForNoMoreFaultsThanItShows) {
    std::string text;
    for (std::size_t i = 0; i < kFaultsShownMax + 50; ++i) text += "x\n";
    EXPECT_EQ(checked(text).faults.size(), kFaultsShownMax);
}

TEST(BatchInput, TheIndexKnowsWhereEverySixtyFourthLineBegins) {
    std::string text;
    std::vector<std::uint64_t> begins;
    for (std::int64_t i = 0; i < 2 * kIndexEvery + 1; ++i) {
        text += "\n";
        if (i % kIndexEvery == 0) begins.push_back(text.size());
        text += line("id" + std::to_string(i));
    }
    const CheckedInput input = checked(text, 1000);
    EXPECT_EQ(input.index, begins);
    EXPECT_EQ(lines_of(std::string_view(text).substr(begins[1])).size(), kIndexEvery + 1U);
}

TEST(BatchInput, MoreLinesThanABatchMayHaveAreAFault) {
    std::string text;
    for (std::int64_t i = 0; i <= kLinesMax; ++i) text += line(std::to_string(i));
    EXPECT_EQ(faults(checked(text)), std::to_string(kLinesMax + 1) + " too_many_lines\n");
}

TEST(BatchInput, TheBodyOfALineIsKeptByteForByte) {
    const std::string text =
        R"({"body": {"model" :"m", "seed":12345678901234567890, "x":1e400},"url":"/v1/chat/completions","method":"POST","custom_id":"a\u00e9"})";
    const auto read = read_line(text, kChat);
    ASSERT_TRUE(read.has_value());
    EXPECT_EQ(read->body, R"({"model" :"m", "seed":12345678901234567890, "x":1e400})");
    EXPECT_EQ(read->custom_id, "aé");
}

}  // namespace
}  // namespace penstock::batches
