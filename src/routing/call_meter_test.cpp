// SPDX-License-Identifier: Apache-2.0
#include "routing/call_meter.h"

#include <gtest/gtest.h>

namespace penstock::routing {
namespace {

constexpr TokenBound kBound{.input = 1000, .output = 100};

std::string shown(const MeteredCall& call) {
    const auto number = [](const std::optional<std::int64_t>& n) {
        return n ? std::to_string(*n) : "-";
    };
    const char* const basis[] = {"upstream", "counted", "estimated", "metered"};
    return number(call.tokens.input_fresh) + "+" + number(call.tokens.cache_read) + " " +
           number(call.tokens.output_visible) + "+" + number(call.tokens.output_reasoning) + " " +
           basis[static_cast<std::size_t>(call.basis)] +
           (call.violations != 0 ? " !" + std::to_string(call.violations) : "");
}

CallMeter meter(
    std::int64_t visible, std::int64_t reasoning = 0, std::optional<UpstreamUsage> usage = {}
) {
    CallMeter made(kBound, 60);
    made.deliver({visible, reasoning});
    if (usage) made.report(*usage);
    return made;
}

TEST(CallMeter, ChargesWhatTheEngineReportedWhenDone) {
    EXPECT_EQ(
        shown(meter(
                  3, 0,
                  UpstreamUsage{.prompt_tokens = 20, .completion_tokens = 5, .cached_tokens = 8}
        )
                  .finish(EndReason::done)),
        "12+8 5+- upstream"
    );
}

TEST(CallMeter, OfAnAnswerThatItGoesOnWithNothingIsChargedAsInput) {
    CallMeter made(kBound, 60, 7);
    made.deliver({.visible = 3, .reasoning = 0});
    EXPECT_EQ(shown(made.finish(EndReason::done)), "10+- 3+- counted");
    made.report({.prompt_tokens = 27, .completion_tokens = 3});
    EXPECT_EQ(shown(made.finish(EndReason::done)), "20+- 3+- upstream");
    EXPECT_EQ(made.finish(EndReason::done).overlap_tokens, 7);
    EXPECT_EQ(shown(made.finish(EndReason::client_gone)), "20+- 3+- counted");
    EXPECT_EQ(shown(made.finish(EndReason::upstream_error)), "0+- 3+- counted");
    made.report({.prompt_tokens = 27, .completion_tokens = 3, .cached_tokens = 24});
    EXPECT_EQ(shown(made.finish(EndReason::done)), "0+20 3+- upstream");
    made.report({.prompt_tokens = 5, .completion_tokens = 3});
    EXPECT_EQ(shown(made.finish(EndReason::done)), "0+- 3+- upstream");
    EXPECT_EQ(made.finish(EndReason::done).overlap_tokens, 5);
}

TEST(CallMeter, TakesTheLastOfSeveralReports) {
    CallMeter made = meter(3, 0, UpstreamUsage{.prompt_tokens = 20, .completion_tokens = 1});
    made.report({.prompt_tokens = 20, .completion_tokens = 3});
    EXPECT_EQ(shown(made.finish(EndReason::done)), "20+- 3+- upstream");
}

// Anthropic's streams begin with the prompt's tokens and one of output, and tell the total at the
// end.
TEST(CallMeter, ARunningTotalSaysNothingOfPiecesThatCameAfterIt) {
    CallMeter made(kBound, 60);
    made.report({.prompt_tokens = 20, .completion_tokens = 1});
    made.deliver({.visible = 7, .reasoning = 2});
    EXPECT_EQ(shown(made.finish(EndReason::client_gone)), "20+- 7+2 counted");
    EXPECT_EQ(shown(made.finish(EndReason::upstream_error)), "0+- 7+2 counted");
    EXPECT_EQ(shown(made.finish(EndReason::done)), "20+- 7+2 counted");
}

TEST(CallMeter, AReportThatCameBeforeItsPiecesCounts) {
    CallMeter made(kBound, 60);
    made.report({.prompt_tokens = 20, .completion_tokens = 30});
    made.deliver({.visible = 7, .reasoning = 0});
    EXPECT_EQ(shown(made.finish(EndReason::done)), "20+- 30+- upstream");
    EXPECT_EQ(shown(made.finish(EndReason::client_gone)), "20+- 7+- counted");
}

TEST(CallMeter, AReportCoversThePiecesOfItsOwnFrame) {
    CallMeter made(kBound, 60);
    made.report({.prompt_tokens = 20, .completion_tokens = 1}, {.visible = 2, .reasoning = 0});
    made.deliver({.visible = 2, .reasoning = 0});
    EXPECT_EQ(shown(made.finish(EndReason::done)), "20+- 1+- upstream");
}

TEST(CallMeter, CountsWhatTheEngineLeftOut) {
    EXPECT_EQ(shown(meter(3, 2).finish(EndReason::done)), "10+- 3+2 counted");
    EXPECT_EQ(
        shown(meter(3, 0, UpstreamUsage{.completion_tokens = 4}).finish(EndReason::done)),
        "10+- 4+- counted"
    );
}

TEST(CallMeter, EstimatesAWholeAnswerWithoutUsageFromItsText) {
    CallMeter made(kBound, 60);
    made.deliver_text(50);
    EXPECT_EQ(shown(made.finish(EndReason::done)), "10+- 8+- estimated");
}

TEST(CallMeter, ATokenizersCountStandsForTheGatewaysOwnMeasures) {
    CallMeter whole(kBound, 60);
    whole.deliver_text(50);
    whole.count_texts(12, DeltaCount{.visible = 11, .reasoning = 2});
    EXPECT_EQ(shown(whole.finish(EndReason::done)), "12+- 11+2 counted");
    CallMeter cut = meter(3);
    cut.count_texts(12, DeltaCount{.visible = 5, .reasoning = 0});
    EXPECT_EQ(shown(cut.finish(EndReason::client_gone)), "12+- 5+- counted");
    EXPECT_EQ(shown(cut.finish(EndReason::upstream_error)), "0+- 5+- counted");
    CallMeter unread = meter(3);
    unread.count_texts(std::nullopt, std::nullopt);
    EXPECT_EQ(shown(unread.finish(EndReason::client_gone)), "10+- 3+- counted");
}

TEST(CallMeter, ATokenizersCountChangesNothingOfWhatTheEngineTold) {
    CallMeter made = meter(3, 0, UpstreamUsage{.prompt_tokens = 20, .completion_tokens = 5});
    made.count_texts(12, DeltaCount{.visible = 9, .reasoning = 0});
    EXPECT_EQ(shown(made.finish(EndReason::done)), "20+- 5+- upstream");
    EXPECT_EQ(shown(made.finish(EndReason::client_gone)), "20+- 5+- counted");
}

TEST(CallMeter, ChargesPromptAndDeliveredPiecesWhenTheClientHasGone) {
    EXPECT_EQ(shown(meter(3).finish(EndReason::client_gone)), "10+- 3+- counted");
}

TEST(CallMeter, ChargesOnlyDeliveredPiecesWhenTheEngineFailed) {
    EXPECT_EQ(shown(meter(3, 1).finish(EndReason::upstream_error)), "0+- 3+1 counted");
    EXPECT_EQ(shown(meter(3).finish(EndReason::timeout)), "0+- 3+- counted");
}

TEST(CallMeter, ChargesNothingWhenNothingWasDelivered) {
    const UpstreamUsage usage{.prompt_tokens = 20, .completion_tokens = 5};
    EXPECT_EQ(shown(meter(0, 0, usage).finish(EndReason::client_gone)), "0+- 0+- counted");
    EXPECT_EQ(shown(meter(0, 0, usage).finish(EndReason::upstream_error)), "0+- 0+- counted");
    EXPECT_EQ(shown(meter(3, 0, usage).finish(EndReason::gateway_crash)), "0+- 0+- counted");
}

TEST(CallMeter, TakesTheSmallerOfCountAndReportWhenCut) {
    const UpstreamUsage less{.prompt_tokens = 7, .completion_tokens = 2};
    const UpstreamUsage more{.prompt_tokens = 7, .completion_tokens = 50};
    EXPECT_EQ(shown(meter(3, 0, less).finish(EndReason::client_gone)), "7+- 2+- counted");
    EXPECT_EQ(shown(meter(3, 0, more).finish(EndReason::client_gone)), "7+- 3+- counted");
}

TEST(CallMeter, StaysWithinTheBoundWhateverTheEngineReports) {
    const UpstreamUsage huge{
        .prompt_tokens = 1'000'000,
        .completion_tokens = 1'000'000,
        .cached_tokens = 900,
        .reasoning_tokens = 5
    };
    EXPECT_EQ(shown(meter(1, 0, huge).finish(EndReason::done)), "100+900 95+5 upstream !16");
}

// Engines draw the border of reasoning elsewhere, or not at all: what they reported bounds each
// class, so that no piece costs a price that the call done would not have had.
TEST(CallMeter, ACutCallIsInNoClassMoreThanWhatWasReported) {
    const UpstreamUsage untold{.prompt_tokens = 7, .completion_tokens = 6};
    const UpstreamUsage told{.prompt_tokens = 7, .completion_tokens = 6, .reasoning_tokens = 5};
    EXPECT_EQ(shown(meter(1, 3, untold).finish(EndReason::client_gone)), "7+- 4+- counted");
    EXPECT_EQ(shown(meter(3, 1, told).finish(EndReason::client_gone)), "7+- 1+3 counted");
    EXPECT_EQ(shown(meter(1, 3, told).finish(EndReason::client_gone)), "7+- 1+3 counted");
    EXPECT_EQ(shown(meter(1, 3).finish(EndReason::client_gone)), "10+- 1+3 counted");
}

}  // namespace
}  // namespace penstock::routing
