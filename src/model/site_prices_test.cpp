// SPDX-License-Identifier: Apache-2.0
#include "model/site_prices.h"

#include <gtest/gtest.h>

namespace penstock {
namespace {

TEST(SitePrices, APercentageOfAPriceIsExactWhereFifteenDecimalsHoldIt) {
    EXPECT_EQ(to_string(*percent_of(*parse_price("0.0001"), 40)), "0.00004");
    EXPECT_EQ(to_string(*percent_of(*parse_price("3"), 50)), "1.5");
    EXPECT_EQ(to_string(*percent_of(Price{}, 7)), "0");
}

TEST(SitePrices, ARestBeyondFifteenDecimalsIsRoundedUp) {
    EXPECT_EQ(to_string(*percent_of(*parse_price("0.000000000000001"), 40)), "0.000000000000001");
}

TEST(SitePrices, SpotLowersWhatIsReservedAndLeavesTokensAsTheyAre) {
    PriceList list;
    list.core_second = *parse_price("0.001");
    list.card_second["H100"] = *parse_price("0.01");
    list.input_tokens = *parse_price("2");

    const PriceList spot = *prices_at(list, 30);

    EXPECT_EQ(to_string(spot.core_second), "0.0003");
    EXPECT_EQ(to_string(spot.card_second.at("H100")), "0.003");
    EXPECT_EQ(to_string(spot.input_tokens), "2");
    EXPECT_EQ(*prices_at(list, std::nullopt), list);
}

}  // namespace
}  // namespace penstock
