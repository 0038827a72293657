// SPDX-License-Identifier: Apache-2.0
#include "base/money.h"

#include <gtest/gtest.h>

#include <limits>

namespace penstock {
namespace {

TEST(Money, PrintsAtLeastTwoDecimals) {
    EXPECT_EQ(to_string(Money::micro(12'500'000)), "12.50");
    EXPECT_EQ(to_string(Money::micro(-1)), "-0.000001");
    EXPECT_EQ(to_string(Money()), "0.00");
}
TEST(Money, RefusesWhatItCannotHoldExactly) {
    EXPECT_EQ(
        parse_money("0.0000001").error().message,
        "'0.0000001' is not an amount: at most 6 decimals (write it as 12.50)"
    );
    EXPECT_FALSE(parse_money("1e3"));
    EXPECT_FALSE(parse_money(""));
    EXPECT_FALSE(parse_money("."));
    EXPECT_FALSE(parse_money("9223372036855"));
}
TEST(Money, OverflowIsAnError) {
    EXPECT_FALSE(add(Money::micro(std::numeric_limits<std::int64_t>::max()), Money::micro(1)));
}
TEST(Price, PerMillionTokensIsExact) {
    const Price per_token = *divide_price(*parse_price("0.10"), 1'000'000);
    EXPECT_EQ(to_string(per_token), "0.0000001");
    const ExactMoney amount =
        *multiply(700, QuantityScale::one, *divide_price(*parse_price("0.80"), 1'000'000));
    EXPECT_EQ(*floor_money(amount), Money::micro(560));
}
TEST(Price, HoldsRoundUpAndChargesRoundDown) {
    const ExactMoney amount = *multiply(1, QuantityScale::milli, *parse_price("0.0001"));
    EXPECT_EQ(*floor_money(amount), Money::micro(0));
    EXPECT_EQ(*ceil_money(amount), Money::micro(1));
}
TEST(Fee, ProviderAndFeeAddUpToTheCharge) {
    EXPECT_EQ(*fee_of(Money::micro(999), 500), Money::micro(49));
}

}  // namespace
}  // namespace penstock
