// SPDX-License-Identifier: Apache-2.0
#include "routing/call_meter.h"

#include <algorithm>
#include <array>
#include <span>

namespace penstock::routing {
namespace {

TokenCounts nothing() { return {.input_fresh = 0, .output_visible = 0}; }

std::int64_t total_of(const DeltaCount& pieces) {
    return pieces.visible + pieces.reasoning + pieces.audio;
}

using Class = std::optional<std::int64_t> TokenCounts::*;
constexpr std::array<Class, 6> kInput{&TokenCounts::cache_read,     &TokenCounts::cache_write_1h,
                                      &TokenCounts::cache_write_5m, &TokenCounts::input_image,
                                      &TokenCounts::input_audio,    &TokenCounts::input_fresh};
constexpr std::array<Class, 3> kOutput{
    &TokenCounts::output_reasoning, &TokenCounts::output_audio, &TokenCounts::output_visible
};

// Takes from the classes, the last ones first, so that their sum is at most `max`.
void clip_sum(TokenCounts& tokens, std::span<const Class> classes, std::int64_t max, bool& over) {
    std::int64_t left = max;
    for (const Class part : classes) {
        std::optional<std::int64_t>& count = tokens.*part;
        if (!count) continue;
        over |= *count > left;
        count = std::min(*count, left);
        left -= *count;
    }
}

// Whether the classes are more than that together; their sum may not fit.
bool is_over(const TokenCounts& tokens, std::span<const Class> classes, std::int64_t max) {
    std::int64_t left = max;
    for (const Class part : classes) {
        const std::int64_t count = (tokens.*part).value_or(0);
        if (count > left) return true;
        left -= count;
    }
    return false;
}

// Of two bases of one call the one that says less: they stand in that order.
UsageBasis weaker(UsageBasis a, UsageBasis b) {
    static_assert(UsageBasis::upstream < UsageBasis::counted);
    static_assert(UsageBasis::counted < UsageBasis::estimated);
    return std::max(a, b);
}

std::optional<std::int64_t> unless_zero(std::int64_t count) {
    return count == 0 ? std::nullopt : std::optional(count);
}

void put_output(TokenCounts& tokens, const DeltaCount& output) {
    tokens.output_visible = output.visible;
    tokens.output_reasoning = unless_zero(output.reasoning);
    tokens.output_audio = unless_zero(output.audio);
}

// As many tokens as `counted` has, in no class more than `most` has: the engine may draw the border
// between them elsewhere, and none is charged at a price that the call done would not have had.
DeltaCount within(const DeltaCount& counted, const TokenCounts& most) {
    const DeltaCount room{
        .visible = most.output_visible.value_or(0),
        .reasoning = most.output_reasoning.value_or(0),
        .audio = most.output_audio.value_or(0)
    };
    DeltaCount out;
    std::int64_t left = total_of(counted);
    for (std::int64_t DeltaCount::* const part :
         {&DeltaCount::visible, &DeltaCount::reasoning, &DeltaCount::audio}) {
        out.*part = std::min(counted.*part, room.*part);
        left -= out.*part;
    }
    for (std::int64_t DeltaCount::* const part :
         {&DeltaCount::visible, &DeltaCount::reasoning, &DeltaCount::audio}) {
        const std::int64_t more = std::min(left, room.*part - out.*part);
        out.*part += more;
        left -= more;
    }
    return out;
}

}  // namespace

bool CallMeter::report(const DisjointUsage& usage, const DeltaCount& of_its_frame) {
    reported_ = usage;
    words_.clear();
    pieces_covered_ = total_of(delivered_) + total_of(of_its_frame);
    return usage.violations != 0 || is_over(usage.tokens, kInput, bound_.input) ||
           is_over(usage.tokens, kOutput, bound_.output);
}

void CallMeter::keep_words(std::string_view usage) { words_ = clip_text(usage, kUsageTextMax); }

void CallMeter::deliver(const DeltaCount& pieces) {
    delivered_.visible += pieces.visible;
    delivered_.reasoning += pieces.reasoning;
    delivered_.audio += pieces.audio;
}

void CallMeter::deliver_text(std::int64_t bytes) {
    text_bytes_ += bytes;
    whole_ = true;
}

MeteredCall CallMeter::finish(EndReason reason, const LeftCall& left) const {
    switch (reason) {
        case EndReason::done:
            return finish_done();
        case EndReason::client_gone:
            return finish_left(left);
        case EndReason::upstream_error:
        case EndReason::timeout:
        case EndReason::gateway_stopped:
            return finish_cut(false);
        case EndReason::gateway_crash:
        case EndReason::refused:
            break;
    }
    return {.tokens = nothing(), .basis = UsageBasis::counted};
}

MeteredCall CallMeter::finish_done() const {
    MeteredCall call;
    if (reported_) {
        call.tokens = reported_->tokens;
        call.violations = reported_->violations;
    }
    if (is_report_outrun())
        for (const Class part : kOutput) (call.tokens.*part).reset();
    // A class that the engine left out is not free: the gateway's own count stands for it.
    if (call.tokens.input_fresh)
        leave_out_overlap(call);
    else
        count_input(call);
    if (!call.tokens.output_visible) {
        put_output(call.tokens, counted_output());
        call.basis = weaker(call.basis, basis_of_output());
    }
    clip(call);
    return call;
}

MeteredCall CallMeter::finish_cut(bool with_prompt) const {
    if (!delivered_any()) return {.tokens = nothing(), .basis = UsageBasis::counted};
    MeteredCall call = finish_done();
    put_output(call.tokens, within(counted_output(), call.tokens));
    call.basis = with_prompt ? weaker(call.basis, basis_of_output()) : basis_of_output();
    if (with_prompt) return call;
    for (const Class part : kInput) (call.tokens.*part).reset();
    call.tokens.input_fresh = 0;
    call.overlap_tokens = 0;
    return call;
}

MeteredCall CallMeter::finish_left(const LeftCall& left) const {
    if (left.policy == DisconnectPolicy::no_bill)
        return {.tokens = nothing(), .basis = UsageBasis::counted};
    if (!delivered_any() && left.undelivered == Undelivered::prompt) return prompt_alone();
    if (!delivered_any()) return finish_cut(true);
    if (left.policy == DisconnectPolicy::drain && left.read_to_end && reported_)
        return finish_done();
    const bool estimates =
        left.policy == DisconnectPolicy::cancel_estimate && left.habit != nullptr;
    if (estimates && left.habit->output(0)) return finish_estimated(*left.habit);
    return finish_cut(true);
}

// What the engine has reported stands; of the rest what it would have reported.
MeteredCall CallMeter::finish_estimated(const UsageHabit& habit) const {
    MeteredCall call = finish_cut(true);
    if (!reported_ || !reported_->tokens.input_fresh)
        call.tokens.input_fresh = habit.input(counted_input());
    // A running total says nothing of pieces that came after it.
    const bool told =
        reported_ && reported_->tokens.output_visible && total_of(delivered_) <= pieces_covered_;
    if (!told) {
        const DeltaCount seen = counted_output();
        const std::int64_t output = *habit.output(total_of(seen));
        // Split as what was delivered is.
        const std::int64_t reasoning = seen.reasoning == 0 ? 0 : *habit.output(seen.reasoning);
        const std::int64_t audio = seen.audio == 0 ? 0 : *habit.output(seen.audio);
        const std::int64_t spoken = std::min(audio, output - reasoning);
        put_output(
            call.tokens,
            {.visible = output - reasoning - spoken, .reasoning = reasoning, .audio = spoken}
        );
    }
    call.basis = UsageBasis::estimated;
    clip(call);
    return call;
}

MeteredCall CallMeter::prompt_alone() const {
    MeteredCall call = finish_done();
    call.tokens.output_visible = 0;
    call.tokens.output_reasoning.reset();
    call.tokens.output_audio.reset();
    if (call.basis == UsageBasis::upstream) call.basis = UsageBasis::counted;
    return call;
}

std::optional<UsageSample> CallMeter::sample() const {
    if (!reported_ || delivered_.empty()) return std::nullopt;
    const auto sum = [&](std::span<const Class> classes) {
        std::int64_t total = 0;
        for (const Class part : classes)
            total += std::clamp<std::int64_t>(
                (reported_->tokens.*part).value_or(0), 0, UsageHabit::kTokensMax
            );
        return total;
    };
    return UsageSample{
        .input_told = sum(kInput),
        .input_seen = counted_input(),
        .output_told = sum(kOutput),
        .output_seen = total_of(counted_output())
    };
}

bool CallMeter::is_report_outrun() const {
    if (!reported_ || !reported_->tokens.output_visible) return false;
    const std::int64_t pieces = total_of(delivered_);
    return pieces > pieces_covered_ && !is_over(reported_->tokens, kOutput, pieces - 1);
}

DeltaCount CallMeter::counted_output() const {
    // A tokenizer counts texts; sound is counted by its pieces.
    DeltaCount count = output_counted_.value_or(delivered_);
    count.audio = delivered_.audio;
    if (!output_counted_) count.visible += text_bytes_ / kPromptBytesPerToken;
    return count;
}

// Pieces are counted; a text that came whole can only be estimated from its size, where there is no
// tokenizer for it.
UsageBasis CallMeter::basis_of_output() const {
    return whole_ && !output_counted_ ? UsageBasis::estimated : UsageBasis::counted;
}

std::int64_t CallMeter::counted_input() const {
    return input_counted_.value_or(prompt_text_bytes_ / kPromptBytesPerToken);
}

void CallMeter::count_input(MeteredCall& call) const {
    call.tokens.input_fresh = counted_input();
    call.basis = weaker(call.basis, input_counted_ ? UsageBasis::counted : UsageBasis::estimated);
}

// It is text: images and sound have no part in it.
void CallMeter::leave_out_overlap(MeteredCall& call) const {
    constexpr std::array<Class, 4> kOrder{
        &TokenCounts::input_fresh, &TokenCounts::cache_write_5m, &TokenCounts::cache_write_1h,
        &TokenCounts::cache_read
    };
    std::int64_t left = overlap_;
    for (const Class part : kOrder) {
        std::optional<std::int64_t>& count = call.tokens.*part;
        if (!count) continue;
        const std::int64_t taken = std::min(*count, left);
        *count -= taken;
        left -= taken;
    }
    call.overlap_tokens = overlap_ - left;
}

void CallMeter::clip(MeteredCall& call) const {
    bool over = false;
    clip_sum(call.tokens, kInput, bound_.input, over);
    clip_sum(call.tokens, kOutput, bound_.output, over);
    if (over) call.violations |= kUsageOverBound;
}

}  // namespace penstock::routing
