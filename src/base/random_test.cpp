// SPDX-License-Identifier: Apache-2.0
#include "base/random.h"

#include <gtest/gtest.h>

#include <set>

namespace penstock {
namespace {

TEST(Random, TheSameSeedGivesTheSameSequence) {
    SeededRandom left(42), right(42), other(43);
    const std::uint64_t first = left.next();
    EXPECT_EQ(first, right.next());
    EXPECT_NE(first, other.next());
    EXPECT_EQ(first, 1546998764402558742ULL);  // fixed: replayed histories depend on it
}
TEST(Random, TheSystemGivesNoValueTwice) {
    SystemRandom left, right;
    std::set<std::uint64_t> seen;
    for (int i = 0; i < 1000; ++i) {
        EXPECT_TRUE(seen.insert(left.next()).second);
        EXPECT_TRUE(seen.insert(right.next()).second);
    }
}
TEST(Random, TextHasTheAskedLengthAndAlphabet) {
    SystemRandom random;
    const std::string text = random_text(random, 40);
    EXPECT_EQ(text.size(), 40U);
    EXPECT_EQ(
        text.find_first_not_of("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"),
        std::string::npos
    );
}

}  // namespace
}  // namespace penstock
