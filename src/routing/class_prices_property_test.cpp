// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "routing/call_meter.h"

namespace penstock::routing {
namespace {

// 0 to 9,000 yuan per million tokens, to the nano-yuan.
rc::Gen<Price> any_price() {
    return rc::gen::map(
        rc::gen::pair(
            rc::gen::inRange<std::int64_t>(0, 9'000'000'000'000), rc::gen::inRange(0, 10)
        ),
        [](const std::pair<std::int64_t, int>& drawn) {
            Price price{drawn.first, 9};
            for (int i = 0; i < drawn.second; ++i) price.num /= 10;
            return price;
        }
    );
}

std::optional<Price> maybe_price() {
    return *rc::gen::arbitrary<bool>() ? std::optional(*any_price()) : std::nullopt;
}

TokenPrices any_prices() {
    TokenPrices prices{*any_price(), *any_price()};
    if (*rc::gen::arbitrary<bool>())
        prices.classes = ClassPrices{maybe_price(), maybe_price(), maybe_price(), maybe_price(),
                                     maybe_price(), maybe_price(), maybe_price()};
    return prices;
}

std::int64_t any_count() { return *rc::gen::inRange<std::int64_t>(0, 10'000'000); }
std::optional<std::int64_t> maybe_count() {
    return *rc::gen::arbitrary<bool>() ? std::optional(any_count()) : std::nullopt;
}
TokenCounts any_tokens() {
    return {maybe_count(), maybe_count(), maybe_count(), maybe_count(), maybe_count(),
            maybe_count(), maybe_count(), maybe_count(), maybe_count()};
}

// The rule once more, by hand: nano-yuan per million tokens × tokens are 10⁻¹⁵ yuan.
__int128 by_hand(std::int64_t tokens, const Price& price) {
    __int128 nano = price.num;
    for (int scale = price.scale; scale < 9; ++scale) nano *= 10;
    for (int scale = price.scale; scale > 9; --scale) nano /= 10;
    return nano * tokens;
}
__int128 by_hand(const TokenCounts& tokens, const TokenPrices& prices) {
    const ClassPrices own = prices.classes.value_or(ClassPrices());
    const Price write_5m = own.cache_write_5m.value_or(prices.input);
    return by_hand(tokens.input_fresh.value_or(0), prices.input) +
           by_hand(tokens.cache_read.value_or(0), own.cache_read.value_or(prices.input)) +
           by_hand(tokens.cache_write_5m.value_or(0), write_5m) +
           by_hand(tokens.cache_write_1h.value_or(0), own.cache_write_1h.value_or(write_5m)) +
           by_hand(tokens.input_image.value_or(0), own.input_image.value_or(prices.input)) +
           by_hand(tokens.input_audio.value_or(0), own.input_audio.value_or(prices.input)) +
           by_hand(tokens.output_audio.value_or(0), own.output_audio.value_or(prices.output)) +
           by_hand(tokens.output_visible.value_or(0), prices.output) +
           by_hand(
               tokens.output_reasoning.value_or(0), own.output_reasoning.value_or(prices.output)
           );
}

RC_GTEST_PROP(ClassPrices, TheAmountsOfTheClassesAddUpToTheTotalAndNoneIsNegative, ()) {
    const TokenPrices prices = any_prices();
    const TokenCounts tokens = any_tokens();
    const RatedTokens rated = *rate_tokens(tokens, prices);
    ExactMoney sum;
    std::int64_t counted = 0;
    for (const RatedClass& part : rated.classes) {
        RC_ASSERT(part.amount >= ExactMoney());
        sum = *add(sum, part.amount);
        counted += part.quantity;
    }
    RC_ASSERT(sum == rated.total);
    RC_ASSERT(sum == *charge_of(tokens, prices));
    RC_ASSERT(counted == total_tokens(tokens));
    RC_ASSERT(sum.femto() == by_hand(tokens, prices));
}

// However the tokens of a bound fall into classes.
RC_GTEST_PROP(ClassPrices, AWorstCaseIsNeverBelowASettlementWithinTheBound, ()) {
    const TokenPrices prices = any_prices();
    const TokenCounts tokens = any_tokens();
    const TokenBound bound{.input = input_tokens(tokens), .output = output_tokens(tokens)};
    const Money held = *worst_case(bound, prices);
    RC_ASSERT(*ceil_money(*charge_of(tokens, prices)) <= held);
}

struct Met {
    CallMeter meter;
    TokenBound bound;
};

std::optional<DeltaCount> maybe_pieces() {
    if (!*rc::gen::arbitrary<bool>()) return std::nullopt;
    return DeltaCount{.visible = any_count(), .reasoning = any_count(), .audio = any_count()};
}

// A call with any report and any pieces, before and after it, and any count of its texts.
Met any_call() {
    const TokenBound bound{
        .input = *rc::gen::inRange<std::int64_t>(0, 3000),
        .output = *rc::gen::inRange<std::int64_t>(0, 300)
    };
    Met met{CallMeter(bound, *rc::gen::inRange<std::int64_t>(0, 9000)), bound};
    const auto pieces = [] {
        return DeltaCount{
            .visible = *rc::gen::inRange<std::int64_t>(0, 100),
            .reasoning = *rc::gen::inRange<std::int64_t>(0, 100),
            .audio = *rc::gen::inRange<std::int64_t>(0, 100)
        };
    };
    met.meter.deliver(pieces());
    if (*rc::gen::arbitrary<bool>()) {
        const auto count = [] {
            return *rc::gen::arbitrary<bool>()
                       ? std::optional(*rc::gen::inRange<std::int64_t>(0, 4000))
                       : std::nullopt;
        };
        met.meter.report(DisjointUsage{
            .tokens =
                {count(), count(), count(), count(), count(), count(), count(), count(), count()}
        });
    }
    if (*rc::gen::arbitrary<bool>()) met.meter.deliver(pieces());
    if (*rc::gen::arbitrary<bool>())
        met.meter.deliver_text(*rc::gen::inRange<std::int64_t>(0, 900));
    if (*rc::gen::arbitrary<bool>()) met.meter.count_texts(maybe_count(), maybe_pieces());
    return met;
}

RC_GTEST_PROP(ClassPrices, NoCallIsChargedAboveItsHoldHoweverItEnds, ()) {
    const TokenPrices prices = any_prices();
    const Met met = any_call();
    const EndReason reason = *rc::gen::element(
        EndReason::done, EndReason::client_gone, EndReason::upstream_error, EndReason::timeout,
        EndReason::gateway_crash, EndReason::refused
    );
    const ExactMoney charge = *charge_of(met.meter.finish(reason).tokens, prices);
    RC_ASSERT(charge >= ExactMoney());
    RC_ASSERT(*ceil_money(charge) <= *worst_case(met.bound, prices));
}

RC_GTEST_PROP(ClassPrices, ACutCallNeverCostsMoreThanTheSameCallDone, ()) {
    const TokenPrices prices = any_prices();
    const Met met = any_call();
    const EndReason reason =
        *rc::gen::element(EndReason::client_gone, EndReason::upstream_error, EndReason::timeout);
    RC_ASSERT(
        *charge_of(met.meter.finish(reason).tokens, prices) <=
        *charge_of(met.meter.finish(EndReason::done).tokens, prices)
    );
}

// Whatever an engine writes: no class is negative, the classes add up to their totals, and where
// nothing is flagged the totals are those that were written.
RC_GTEST_PROP(DisjointUsage, ClassesAreNeverNegativeAndAddUpToNoMoreThanWasWritten, ()) {
    const auto any = [] {
        return *rc::gen::weightedOneOf<std::optional<std::int64_t>>({
            {2, rc::gen::just(std::optional<std::int64_t>())},
            {6, rc::gen::map(
                    rc::gen::inRange<std::int64_t>(0, 100), [](auto n) { return std::optional(n); }
                )},
            {1, rc::gen::map(
                    rc::gen::arbitrary<std::int64_t>(), [](auto n) { return std::optional(n); }
                )},
        });
    };
    const UpstreamUsage told{any(), any(), any(), any(), any(), any(),
                             any(), any(), any(), any(), any()};

    const DisjointUsage read = disjoint(told);

    __int128 input = 0;
    __int128 output = 0;
    for (const TokenClassFacts& facts : kTokenClasses) {
        const std::int64_t count = (read.tokens.*facts.count).value_or(0);
        RC_ASSERT(count >= 0);
        (facts.is_output ? output : input) += count;
    }
    if (told.prompt_tokens && *told.prompt_tokens >= 0) RC_ASSERT(input <= *told.prompt_tokens);
    if (told.completion_tokens && *told.completion_tokens >= 0)
        RC_ASSERT(output <= *told.completion_tokens);
    RC_ASSERT(read.tokens.output_reasoning.value_or(0) <= output);
    if (read.violations != 0) return;
    RC_ASSERT(input == told.prompt_tokens.value_or(0));
    RC_ASSERT(output == told.completion_tokens.value_or(0));
    if (told.prompt_tokens && told.completion_tokens && told.total_tokens)
        RC_ASSERT(input + output == *told.total_tokens);
}

// A call is `upstream` where the engine told all that is charged, and `counted` only where nothing
// of it was guessed from the size of a text.
RC_GTEST_PROP(CallMeter, ABasisSaysTheLeastOfWhatIsCharged, ()) {
    const bool told = *rc::gen::arbitrary<bool>();
    const bool read = *rc::gen::arbitrary<bool>();
    const bool whole = *rc::gen::arbitrary<bool>();
    CallMeter meter({.input = 3000, .output = 300}, *rc::gen::inRange<std::int64_t>(0, 9000));
    if (told) meter.report({.prompt_tokens = 7});
    if (whole)
        meter.deliver_text(*rc::gen::inRange<std::int64_t>(1, 900));
    else
        meter.deliver({.visible = 1});
    if (read) meter.count_texts(11, DeltaCount{.visible = 1});
    const EndReason reason = *rc::gen::element(
        EndReason::done, EndReason::client_gone, EndReason::upstream_error, EndReason::timeout
    );
    const bool with_prompt = reason == EndReason::done || reason == EndReason::client_gone;
    const bool guessed = !read && (whole || (with_prompt && !told));
    RC_ASSERT(
        meter.finish(reason).basis == (guessed ? UsageBasis::estimated : UsageBasis::counted)
    );
}

}  // namespace
}  // namespace penstock::routing
