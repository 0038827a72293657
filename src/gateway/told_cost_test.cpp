// SPDX-License-Identifier: Apache-2.0
#include "gateway/told_cost.h"

#include <gtest/gtest.h>

namespace penstock::gateway {
namespace {

const ExactMoney cost(12'600'000'000);  // 0.0000126 yuan
const routing::MeteredCall counted{
    .tokens = {.input_fresh = 10, .output_visible = 3}, .basis = UsageBasis::counted
};

TEST(ToldCost, StandsInTheUsageOfAWholeAnswer) {
    EXPECT_EQ(
        with_cost(R"({"id":"x","usage":{"prompt_tokens":1,"completion_tokens":2},"z":1})", cost),
        R"({"id":"x","usage":{"cost":0.0000126,"prompt_tokens":1,"completion_tokens":2},"z":1})"
    );
    EXPECT_EQ(with_cost(R"({"id":"x","usage":null})", cost), R"({"id":"x","usage":null})");
    EXPECT_EQ(with_cost("no JSON", cost), "no JSON");
}

TEST(ToldCost, AnAnswerWithoutUsageHasTheGatewaysCount) {
    EXPECT_EQ(
        with_cost(R"({"id":"x","usage":null})", counted, cost),
        R"({"penstock":{"basis":"counted"},"id":"x","usage":{"cost":0.0000126,"prompt_tokens":10,)"
        R"("completion_tokens":3,"total_tokens":13}})"
    );
}

TEST(ToldCost, StandsInEachUsageOfAStreamAndNowhereElse) {
    std::string events =
        "data: {\"choices\":[{\"delta\":{\"content\":\"\\\"usage\\\"\"}}],\"usage\":null}\n\n"
        ": a comment\n\n"
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\ndata: [DONE]\n\n";
    tell_cost(events, cost);
    EXPECT_EQ(
        events,
        "data: {\"choices\":[{\"delta\":{\"content\":\"\\\"usage\\\"\"}}],\"usage\":null}\n\n"
        ": a comment\n\n"
        "data: {\"choices\":[],\"usage\":{\"cost\":0.0000126,\"prompt_tokens\":1}}\n\n"
        "data: [DONE]\n\n"
    );
    std::string responses =
        "event: response.completed\n"
        "data: {\"type\":\"response.completed\",\"response\":{\"usage\":{\"input_tokens\":1}}}\n\n";
    tell_cost(responses, cost);
    EXPECT_EQ(
        responses,
        "event: response.completed\n"
        "data: {\"type\":\"response.completed\",\"response\":{\"usage\":{\"cost\":0.0000126,"
        "\"input_tokens\":1}}}\n\n"
    );
}

TEST(ToldCost, AnAnswerThatIsGivenAgainTellsItsOwn) {
    const std::string whole = R"({"usage":{"cost":0.5,"prompt_tokens":1}})";
    EXPECT_EQ(
        with_other_cost(whole, false, cost), R"({"usage":{"cost":0.0000126,"prompt_tokens":1}})"
    );
    const std::string event = "data: {\"usage\":{\"cost\":0.5,\"prompt_tokens\":1}}\n\n";
    EXPECT_EQ(
        with_other_cost(event, true, cost),
        "data: {\"usage\":{\"cost\":0.0000126,\"prompt_tokens\":1}}\n\n"
    );
    const std::string foreign = R"({"input":{"cost":0.5},"usage":{"input_tokens":1}})";
    EXPECT_EQ(with_other_cost(foreign, false, cost), foreign);
}

TEST(ToldCost, AStreamWithoutUsageEndsWithTheGatewaysCount) {
    EXPECT_EQ(
        own_usage_chunk({.id = "1", .model = "m", .created = 7}, counted, cost),
        "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":7,"
        "\"model\":\"m\",\"choices\":[],\"usage\":{\"cost\":0.0000126,\"prompt_tokens\":10,"
        "\"completion_tokens\":3,\"total_tokens\":13},\"penstock\":{\"basis\":\"counted\"}}\n\n"
    );
}

}  // namespace
}  // namespace penstock::gateway
