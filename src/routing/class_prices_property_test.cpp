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
        prices.classes = ClassPrices{maybe_price(), maybe_price(), maybe_price(), maybe_price()};
    return prices;
}

std::int64_t any_count() { return *rc::gen::inRange<std::int64_t>(0, 10'000'000); }
std::optional<std::int64_t> maybe_count() {
    return *rc::gen::arbitrary<bool>() ? std::optional(any_count()) : std::nullopt;
}
TokenCounts any_tokens() {
    return {maybe_count(), maybe_count(), maybe_count(),
            maybe_count(), maybe_count(), maybe_count()};
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
    const TokenBound bound{
        .input = tokens.input_fresh.value_or(0) + tokens.cache_read.value_or(0) +
                 tokens.cache_write_5m.value_or(0) + tokens.cache_write_1h.value_or(0),
        .output = tokens.output_visible.value_or(0) + tokens.output_reasoning.value_or(0)
    };
    const Money held = *worst_case(bound, prices);
    RC_ASSERT(*ceil_money(*charge_of(tokens, prices)) <= held);
}

struct Met {
    CallMeter meter;
    TokenBound bound;
};

std::optional<DeltaCount> maybe_pieces() {
    if (!*rc::gen::arbitrary<bool>()) return std::nullopt;
    return DeltaCount{.visible = any_count(), .reasoning = any_count()};
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
            .reasoning = *rc::gen::inRange<std::int64_t>(0, 100)
        };
    };
    met.meter.deliver(pieces());
    if (*rc::gen::arbitrary<bool>()) {
        const auto count = [] {
            return *rc::gen::arbitrary<bool>()
                       ? std::optional(*rc::gen::inRange<std::int64_t>(0, 4000))
                       : std::nullopt;
        };
        met.meter.report(
            DisjointUsage{.tokens = {count(), count(), count(), count(), count(), count()}}
        );
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

}  // namespace
}  // namespace penstock::routing
