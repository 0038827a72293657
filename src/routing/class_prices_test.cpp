// SPDX-License-Identifier: Apache-2.0
#include "routing/class_prices.h"

#include <gtest/gtest.h>

namespace penstock::routing {
namespace {

constexpr TokenBound kBound{.input = 1000, .output = 100};

Price yuan(const char* text) { return *parse_price(text); }

// "input_fresh 1, cache_read 1 (input_fresh), …"
std::string shown(const TokenPrices& prices) {
    std::string text;
    for (const PriceRow& row : price_rows(prices)) {
        text += (text.empty() ? "" : ", ") + row.token_class + " " + to_string(row.price);
        if (row.priced_as) text += " (" + *row.priced_as + ")";
    }
    return text;
}

// "input_tokens 600 = 480000000, …; total": femto-yuan, exact.
std::string shown(const RatedTokens& rated) {
    std::string text;
    for (const RatedClass& part : rated.classes) {
        text += std::string(facts_of(part.token_class).meter) + " " +
                std::to_string(part.quantity) + " = " +
                std::to_string(static_cast<long long>(part.amount.femto()));
        if (part.set_for != part.token_class)
            text += " as " + std::string(facts_of(part.set_for).meter);
        text += ", ";
    }
    return text + "total " + std::to_string(static_cast<long long>(rated.total.femto()));
}

TEST(ClassPrices, AClassWithoutAPriceFallsBackAsDeclaredAndSaysSo) {
    EXPECT_EQ(
        shown(TokenPrices{yuan("1"), yuan("2")}),
        "input_fresh 1, cache_read 1 (input_fresh), cache_write_5m 1 (input_fresh), "
        "cache_write_1h 1 (input_fresh), input_image 1 (input_fresh), input_audio 1 (input_fresh), "
        "output_visible 2, output_reasoning 2 (output_visible), output_audio 2 (output_visible)"
    );
    EXPECT_EQ(
        shown(TokenPrices{yuan("1"), yuan("2"), ClassPrices{.cache_write_5m = yuan("1.25")}}),
        "input_fresh 1, cache_read 1 (input_fresh), cache_write_5m 1.25, "
        "cache_write_1h 1.25 (cache_write_5m), input_image 1 (input_fresh), "
        "input_audio 1 (input_fresh), output_visible 2, output_reasoning 2 (output_visible), "
        "output_audio 2 (output_visible)"
    );
    EXPECT_EQ(
        shown(TokenPrices{
            yuan("1"), yuan("2"),
            ClassPrices{
                .cache_read = yuan("0.1"),
                .cache_write_5m = yuan("1.25"),
                .cache_write_1h = yuan("2"),
                .input_image = yuan("0.7"),
                .input_audio = yuan("8"),
                .output_reasoning = yuan("3"),
                .output_audio = yuan("9")
            }
        }),
        "input_fresh 1, cache_read 0.1, cache_write_5m 1.25, cache_write_1h 2, input_image 0.7, "
        "input_audio 8, output_visible 2, output_reasoning 3, output_audio 9"
    );
}

TEST(ClassPrices, ARoughPriceIsThatInYuan) {
    EXPECT_EQ(rough_price(yuan("0.10")), 0.10);
    EXPECT_EQ(rough_price(yuan("12.345")), 12.345);
    EXPECT_EQ(rough_price(yuan("7")), 7);
    EXPECT_EQ(rough_price({.num = 1, .scale = Price::kScaleMax}), 1e-15);
}

TEST(ClassPrices, APriceOfZeroIsAPrice) {
    const TokenPrices prices{yuan("1"), yuan("2"), ClassPrices{.cache_read = yuan("0")}};
    EXPECT_EQ(price_of(prices, TokenClass::cache_read).set_for, TokenClass::cache_read);
    EXPECT_EQ(charge_of({.cache_read = 1000}, prices)->femto(), 0);
    EXPECT_EQ(
        charge_of({.cache_write_5m = 1000}, prices)->femto(), __int128{1000} * ExactMoney::kPerMicro
    );
}

TEST(ClassPrices, EveryClassIsRatedAtItsOwnPrice) {
    const TokenPrices prices{
        yuan("1"), yuan("2.000000001"), ClassPrices{.cache_read = yuan("0.1")}
    };
    EXPECT_EQ(
        shown(*rate_tokens({.input_fresh = 6, .cache_read = 40, .output_reasoning = 1}, prices)),
        "input_tokens 6 = 6000000000, cache_read_tokens 40 = 4000000000, output_tokens 0 = 0, "
        "reasoning_tokens 1 = 2000000001 as output_tokens, total 12000000001"
    );
}

TEST(ClassPrices, TheWorstCaseIsThatOfTheDearestClasses) {
    const TokenPrices plain{yuan("0.8"), yuan("2.000000001")};
    TokenPrices writes = plain;
    writes.classes = ClassPrices{.cache_read = yuan("0.08"), .cache_write_1h = yuan("1.6")};
    TokenPrices thinks = plain;
    thinks.classes = ClassPrices{.output_reasoning = yuan("4")};
    EXPECT_EQ(*worst_case(kBound, plain), Money::micro(1001));
    EXPECT_EQ(*worst_case(kBound, writes), Money::micro(1801));
    EXPECT_EQ(*worst_case(kBound, thinks), Money::micro(1200));
    TokenPrices speaks = plain;
    speaks.classes = ClassPrices{.input_audio = yuan("16"), .output_audio = yuan("40")};
    EXPECT_EQ(*worst_case(kBound, speaks), Money::micro(20'000));
}

TEST(ClassPrices, APriceFinerThanANanoYuanIsRefusedByName) {
    const Price fine = yuan("0.0000000001");
    const auto field = [](const TokenPrices& prices) { return check(prices).error().field; };
    EXPECT_EQ(field({.input = fine, .output = {}}), "price_input");
    EXPECT_EQ(field({.input = {}, .output = fine}), "price_output");
    EXPECT_EQ(
        field({.input = {}, .output = {}, .classes = ClassPrices{.cache_write_1h = fine}}),
        "class_prices.cache_write_1h"
    );
    EXPECT_TRUE(check(TokenPrices{yuan("0.000000001"), yuan("9"), ClassPrices{yuan("0")}}));
}

TEST(ClassPrices, AShareReducesEveryPriceThatIsSetAndInventsNone) {
    CallRecord record{
        .price_input = *parse_price("3"),
        .price_output = *parse_price("15"),
        .class_prices = ClassPrices{.cache_read = parse_price("0.3").value()}
    };
    ASSERT_TRUE(reduce_prices(record, 50));
    EXPECT_EQ(to_string(record.price_input), "1.5");
    EXPECT_EQ(to_string(record.price_output), "7.5");
    EXPECT_EQ(to_string(*record.class_prices->cache_read), "0.15");
    EXPECT_EQ(record.class_prices->output_reasoning, std::nullopt);
}

}  // namespace
}  // namespace penstock::routing
