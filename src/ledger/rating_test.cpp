// SPDX-License-Identifier: Apache-2.0
#include "ledger/rating.h"

#include <gtest/gtest.h>

#include <array>

namespace penstock::ledger {
namespace {

Price per_million(std::string_view yuan) { return *divide_price(*parse_price(yuan), 1'000'000); }

PriceList token_prices() {
    return PriceList{
        .version = 3,
        .rows = {{"input_fresh", per_million("0.80")}, {"output_visible", per_million("2.00")}},
        .fallbacks = {{"cache_read", "input_fresh"}, {"a", "b"}, {"b", "a"}},
    };
}

TEST(Rating, AddsUpClassesExactly) {
    const std::array usage = {
        Quantity{"input_fresh", 700}, Quantity{"output_visible", 3}, Quantity{"cache_read", 100}
    };
    const Rated rated = *rate(usage, token_prices());
    EXPECT_EQ(*floor_money(rated.total), Money::micro(646));
    EXPECT_EQ(rated.lines[2].price, per_million("0.80"));
}

TEST(Rating, AClassWithoutPriceIsAnErrorAndNeverFree) {
    const std::array usage = {Quantity{"output_audio", 1}};
    EXPECT_EQ(
        to_string(rate(usage, token_prices()).error()),
        "invalid_argument: output_audio: has no price in version 3 of the price list; add a price "
        "or a fallback for it"
    );
    EXPECT_FALSE(rate(std::array{Quantity{"a", 1}}, token_prices()));
    EXPECT_FALSE(rate(std::array{Quantity{"input_fresh", -1}}, token_prices()));
}

TEST(Rating, CardSecondsAreRatedByTheThousandth) {
    const PriceList prices{.rows = {{"card_second", *parse_price("0.001")}}};
    const std::array usage = {Quantity{"card_second", 1'500, QuantityScale::milli}};
    EXPECT_EQ(*floor_money(rate(usage, prices)->total), Money::micro(1'500));
}

TEST(Accumulator, PostsOnlyWholeMicroYuanAndKeepsTheRest) {
    const ExactMoney half(500'000'000);
    const Posting first = *advance(Accumulator{}, half);
    EXPECT_EQ(first.amount, Money());
    const Posting second = *advance(first.next, half);
    EXPECT_EQ(second.amount, Money::micro(1));
    EXPECT_EQ(second.next, (Accumulator{Money::micro(1), 0}));
}

TEST(Accumulator, ACorrectionPostsBackwards) {
    const Posting charged = *advance(Accumulator{}, ExactMoney(2'500'000'000));
    const Posting corrected = *advance(charged.next, ExactMoney(-1'000'000'001));
    EXPECT_EQ(corrected.amount, Money::micro(-1));
    EXPECT_EQ(corrected.next, (Accumulator{Money::micro(1), 499'999'999}));
}

TEST(Accumulators, KeepContractsAndPartiesApart) {
    Accumulators all;
    const Posting posting = *all.advance("c1", "buyer", ExactMoney(1'500'000'000));
    EXPECT_EQ(all.find("c1", "buyer"), Accumulator{});
    all.put("c1", "buyer", posting.next);
    EXPECT_EQ(all.find("c1", "buyer").rem, 500'000'000);
    EXPECT_EQ(all.find("c1", "seller"), Accumulator{});
    ASSERT_EQ(all.rows().size(), 1U);
    EXPECT_EQ(all.rows()[0].party, "buyer");
}

TEST(Split, ProviderGetsWhatTheFeeLeaves) {
    const GrossSplit split = *split_fee(Money::micro(999), 500);
    EXPECT_EQ(split.fee, Money::micro(49));
    EXPECT_EQ(split.provider, Money::micro(950));
}

TEST(Split, LargestRemainderThenAccountId) {
    const AccountId a(RawId{0, 1}), b(RawId{0, 2}), c(RawId{0, 3});
    EXPECT_EQ(
        *split_by_weight(Money::micro(100), std::array{Share{c, 1}, Share{b, 1}, Share{a, 1}}),
        (std::vector{Money::micro(33), Money::micro(33), Money::micro(34)})
    );
    EXPECT_EQ(
        *split_by_weight(Money::micro(10), std::array{Share{a, 6}, Share{b, 0}, Share{c, 5}}),
        (std::vector{Money::micro(5), Money::micro(0), Money::micro(5)})
    );
}

TEST(Split, RefusesWeightsThatDivideNothing) {
    const AccountId a(RawId{0, 1});
    EXPECT_FALSE(split_by_weight(Money::micro(1), {}));
    EXPECT_FALSE(split_by_weight(Money::micro(1), std::array{Share{a, 0}}));
    EXPECT_FALSE(split_by_weight(Money::micro(1), std::array{Share{a, -1}}));
    EXPECT_FALSE(split_by_weight(Money::micro(-1), std::array{Share{a, 1}}));
}

}  // namespace
}  // namespace penstock::ledger
