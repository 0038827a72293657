// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "base/money.h"

namespace penstock {
namespace {

TEST(MoneyProperty, TextRoundTrips) {
    EXPECT_TRUE(rc::check([](std::int64_t micro) {
        RC_PRE(micro != std::numeric_limits<std::int64_t>::min());
        RC_ASSERT(*parse_money(to_string(Money::micro(micro))) == Money::micro(micro));
    }));
}

TEST(MoneyProperty, CuttingAQuantityNeverChangesTheSum) {
    EXPECT_TRUE(rc::check([](std::uint32_t first, std::uint32_t second, std::uint32_t num) {
        const Price price{num, 9};
        const ExactMoney parts = *add(
            *multiply(first, QuantityScale::one, price),
            *multiply(second, QuantityScale::one, price)
        );
        RC_ASSERT(parts == *multiply(std::int64_t{first} + second, QuantityScale::one, price));
    }));
}

TEST(MoneyProperty, FloorAndCeilBracketTheExactAmount) {
    EXPECT_TRUE(rc::check([](std::int64_t femto) {
        const ExactMoney exact(femto);
        const Money low = *floor_money(exact), high = *ceil_money(exact);
        RC_ASSERT(static_cast<__int128>(low.micro()) * ExactMoney::kPerMicro <= exact.femto());
        RC_ASSERT(static_cast<__int128>(high.micro()) * ExactMoney::kPerMicro >= exact.femto());
        RC_ASSERT(high.micro() - low.micro() <= 1);
    }));
}

}  // namespace
}  // namespace penstock
