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
    EXPECT_EQ(shown(made.finish(EndReason::done)), "10+- 3+- estimated");
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
    EXPECT_EQ(shown(meter(3, 2).finish(EndReason::done)), "10+- 3+2 estimated");
    EXPECT_EQ(
        shown(meter(3, 0, UpstreamUsage{.completion_tokens = 4}).finish(EndReason::done)),
        "10+- 4+- estimated"
    );
    EXPECT_EQ(
        shown(meter(3, 0, UpstreamUsage{.prompt_tokens = 4}).finish(EndReason::done)),
        "4+- 3+- counted"
    );
}

// What follows from the size of a text is a guess, and is not called a count.
TEST(CallMeter, CallsItCountedOnlyWhereEverythingThatIsChargedWasCounted) {
    EXPECT_EQ(shown(meter(3).finish(EndReason::client_gone)), "10+- 3+- estimated");
    EXPECT_EQ(shown(meter(3).finish(EndReason::upstream_error)), "0+- 3+- counted");
    CallMeter read = meter(3);
    read.count_texts(12, std::nullopt);
    EXPECT_EQ(shown(read.finish(EndReason::client_gone)), "12+- 3+- counted");
    CallMeter whole(kBound, 60);
    whole.deliver_text(50);
    whole.count_texts(std::nullopt, DeltaCount{.visible = 11, .reasoning = 0});
    EXPECT_EQ(shown(whole.finish(EndReason::done)), "10+- 11+- estimated");
    CallMeter half(kBound, 60);
    half.deliver_text(50);
    half.count_texts(12, std::nullopt);
    EXPECT_EQ(shown(half.finish(EndReason::done)), "12+- 8+- estimated");
}

TEST(CallMeter, SoundIsCountedByItsPieces) {
    CallMeter made(kBound, 60);
    made.deliver({.visible = 2, .reasoning = 0, .audio = 5});
    EXPECT_EQ(made.finish(EndReason::upstream_error).tokens.output_audio, 5);
    made.count_texts(12, DeltaCount{.visible = 3, .reasoning = 0});
    EXPECT_EQ(
        made.finish(EndReason::client_gone).tokens,
        (TokenCounts{.input_fresh = 12, .output_visible = 3, .output_audio = 5})
    );
    made.report(
        {.prompt_tokens = 40, .completion_tokens = 9, .audio_tokens = 30, .audio_output_tokens = 4}
    );
    EXPECT_EQ(
        made.finish(EndReason::client_gone).tokens,
        (TokenCounts{.input_fresh = 10, .input_audio = 30, .output_visible = 4, .output_audio = 4})
    );
    EXPECT_EQ(
        made.finish(EndReason::timeout).tokens,
        (TokenCounts{.input_fresh = 0, .output_visible = 4, .output_audio = 4})
    );
}

TEST(CallMeter, AsksForTheEnginesWordsWhereTheyContradictThemselvesOrTheBound) {
    CallMeter made(kBound, 60);
    EXPECT_FALSE(made.report({.prompt_tokens = 20, .completion_tokens = 5}));
    EXPECT_TRUE(made.report({.prompt_tokens = 20, .completion_tokens = 5, .cached_tokens = 30}));
    EXPECT_TRUE(made.report({.prompt_tokens = 1001, .completion_tokens = 5}));
    EXPECT_TRUE(made.report({.prompt_tokens = 20, .completion_tokens = 101}));
    EXPECT_TRUE(made.report({.prompt_tokens = INT64_MAX, .completion_tokens = INT64_MAX}));
    made.keep_words(std::string(kUsageTextMax - 1, 'x') + "\xE6\xB0\xB4");
    EXPECT_EQ(made.words(), std::string(kUsageTextMax - 1, 'x'));
    EXPECT_FALSE(made.report({.prompt_tokens = 20, .completion_tokens = 5}));
    EXPECT_EQ(made.words(), "");
}

TEST(CallMeter, EstimatesAWholeAnswerWithoutUsageFromItsText) {
    CallMeter made(kBound, 60);
    made.deliver_text(50);
    EXPECT_EQ(shown(made.finish(EndReason::done)), "10+- 8+- estimated");
}

TEST(CallMeter, EstimatesWhatAReportOfThePromptAloneLeavesOfAWholeAnswer) {
    CallMeter made(kBound, 60);
    made.report({.prompt_tokens = 20});
    made.deliver_text(50);
    EXPECT_EQ(shown(made.finish(EndReason::done)), "20+- 8+- estimated");
    CallMeter empty(kBound, 60);
    empty.report({.prompt_tokens = 20});
    empty.deliver_text(0);
    EXPECT_EQ(shown(empty.finish(EndReason::done)), "20+- 0+- estimated") << "nobody counted it";
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
    EXPECT_EQ(shown(unread.finish(EndReason::client_gone)), "10+- 3+- estimated");
}

TEST(CallMeter, ATokenizersCountChangesNothingOfWhatTheEngineTold) {
    CallMeter made = meter(3, 0, UpstreamUsage{.prompt_tokens = 20, .completion_tokens = 5});
    made.count_texts(12, DeltaCount{.visible = 9, .reasoning = 0});
    EXPECT_EQ(shown(made.finish(EndReason::done)), "20+- 5+- upstream");
    EXPECT_EQ(shown(made.finish(EndReason::client_gone)), "20+- 5+- counted");
}

TEST(CallMeter, ChargesPromptAndDeliveredPiecesWhenTheClientHasGone) {
    EXPECT_EQ(shown(meter(3).finish(EndReason::client_gone)), "10+- 3+- estimated");
}

MeteredCall left(const CallMeter& meter, const LeftCall& by) {
    return meter.finish(EndReason::client_gone, by);
}

TEST(CallMeter, AStreamThatWasReadToItsEndIsChargedAsItsEngineTold) {
    const CallMeter told = meter(3, 0, UpstreamUsage{.prompt_tokens = 20, .completion_tokens = 30});
    const LeftCall to_end{.policy = DisconnectPolicy::drain, .read_to_end = true};
    EXPECT_EQ(shown(left(told, to_end)), "20+- 30+- upstream");
    // A bound was met before the end, or the engine told nothing there: what was delivered counts.
    EXPECT_EQ(shown(left(told, {.policy = DisconnectPolicy::drain})), "20+- 3+- counted");
    EXPECT_EQ(shown(left(meter(3), to_end)), "10+- 3+- estimated");
    // Who received nothing pays by the call's own rule.
    const CallMeter nothing =
        meter(0, 0, UpstreamUsage{.prompt_tokens = 20, .completion_tokens = 30});
    EXPECT_EQ(shown(left(nothing, to_end)), "0+- 0+- counted");
}

TEST(CallMeter, AReadToTheEndIsWithinTheBound) {
    const CallMeter told =
        meter(3, 0, UpstreamUsage{.prompt_tokens = 20, .completion_tokens = 3000});
    const MeteredCall call = left(told, {.policy = DisconnectPolicy::drain, .read_to_end = true});
    EXPECT_EQ(shown(call), "20+- 100+- upstream !" + std::to_string(kUsageOverBound));
}

TEST(CallMeter, NothingIsChargedWhereTheEngineDoesNotBillForStreamsThatAreLeft) {
    const CallMeter told = meter(3, 1, UpstreamUsage{.prompt_tokens = 20, .completion_tokens = 9});
    const LeftCall free{.policy = DisconnectPolicy::no_bill, .undelivered = Undelivered::prompt};
    EXPECT_EQ(shown(left(told, free)), "0+- 0+- counted");
    EXPECT_EQ(shown(told.finish(EndReason::done, free)), "20+- 9+- upstream");
}

TEST(CallMeter, AnEstimateIsWhatTheEngineTellsOfOtherStreams) {
    UsageHabit habit;
    const LeftCall estimated{.policy = DisconnectPolicy::cancel_estimate, .habit = &habit};
    EXPECT_EQ(shown(left(meter(4), estimated)), "10+- 4+- estimated");  // nothing is known of it
    for (int i = 0; i < UsageHabit::kCallsMin; ++i)
        habit.add({.input_told = 12, .input_seen = 10, .output_told = 30, .output_seen = 20});
    EXPECT_EQ(shown(left(meter(4), estimated)), "12+- 6+- estimated");
    EXPECT_EQ(shown(left(meter(2, 2), estimated)), "12+- 3+3 estimated");
    // What it told of this one stands.
    const CallMeter begun = meter(4, 0, UpstreamUsage{.prompt_tokens = 25, .cached_tokens = 5});
    EXPECT_EQ(shown(left(begun, estimated)), "20+5 6+- estimated");
    // A running total that pieces came after does not stand.
    CallMeter running(kBound, 60);
    running.report({.prompt_tokens = 25, .completion_tokens = 1});
    running.deliver({.visible = 1, .reasoning = 0});
    EXPECT_EQ(running.finish(EndReason::client_gone, estimated).tokens.output_visible, 1);
    running.deliver({.visible = 3, .reasoning = 0});
    EXPECT_EQ(running.finish(EndReason::client_gone, estimated).tokens.output_visible, 6);
    EXPECT_EQ(shown(left(meter(90), estimated)), "12+- 100+- estimated !16");
}

TEST(CallMeter, WhoLeavesBeforeAnythingCameMayBeChargedThePrompt) {
    const LeftCall prompt{.undelivered = Undelivered::prompt};
    EXPECT_EQ(shown(left(meter(0), prompt)), "10+- 0+- estimated");
    const UpstreamUsage told{.prompt_tokens = 20, .completion_tokens = 5, .cached_tokens = 8};
    EXPECT_EQ(shown(left(meter(0, 0, told), prompt)), "12+8 0+- counted");
    EXPECT_EQ(shown(left(meter(3), prompt)), "10+- 3+- estimated");
    EXPECT_EQ(shown(meter(0).finish(EndReason::upstream_error, prompt)), "0+- 0+- counted");
}

TEST(CallMeter, ACallThatEndedWellSaysHowItsEngineCounts) {
    EXPECT_FALSE(meter(3).sample().has_value());
    const UpstreamUsage told{.prompt_tokens = 20, .completion_tokens = 5, .cached_tokens = 8};
    EXPECT_FALSE(meter(0, 0, told).sample().has_value());
    const std::optional<UsageSample> sample = meter(3, 1, told).sample();
    ASSERT_TRUE(sample.has_value());
    EXPECT_EQ(sample->input_told, 20);
    EXPECT_EQ(sample->input_seen, 10);
    EXPECT_EQ(sample->output_told, 5);
    EXPECT_EQ(sample->output_seen, 4);
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
    EXPECT_EQ(shown(meter(1, 3).finish(EndReason::client_gone)), "10+- 1+3 estimated");
}

}  // namespace
}  // namespace penstock::routing
