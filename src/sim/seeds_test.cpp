// SPDX-License-Identifier: Apache-2.0
#include "sim/seeds.h"

#include <gtest/gtest.h>

namespace penstock::sim {
namespace {

using Seeds = std::vector<std::uint64_t>;

TEST(Seeds, ReadsNumbersListsAndRanges) {
    EXPECT_EQ(parse_seeds("42").value(), (Seeds{42}));
    EXPECT_EQ(parse_seeds("42..44").value(), (Seeds{42, 43, 44}));
    EXPECT_EQ(parse_seeds("0,7..8,3").value(), (Seeds{0, 7, 8, 3}));
    EXPECT_EQ(parse_seeds("18446744073709551615").value(), (Seeds{UINT64_MAX}));
}

TEST(Seeds, SaysWhatIsWrong) {
    EXPECT_EQ(
        parse_seeds("1,x").error().message,
        "'x' is no whole number from 0 on: write seeds as 42, 42..51 or 0,1,2"
    );
    EXPECT_EQ(
        parse_seeds("9..3").error().message,
        "'9..3' runs backwards: write seeds as 42, 42..51 or 0,1,2"
    );
    EXPECT_EQ(
        parse_seeds("1..3,2").error().message,
        "'2' names a seed again: write seeds as 42, 42..51 or 0,1,2"
    );
    EXPECT_EQ(
        parse_seeds("0..10000").error().message,
        "'0..10000' makes more than 10000 seeds: write seeds as 42, 42..51 or 0,1,2"
    );
    EXPECT_FALSE(parse_seeds(""));
    EXPECT_FALSE(parse_seeds("0..18446744073709551615"));
}

}  // namespace
}  // namespace penstock::sim
