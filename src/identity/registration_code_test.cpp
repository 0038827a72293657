// SPDX-License-Identifier: Apache-2.0
#include "identity/registration_code.h"

#include <gtest/gtest.h>

#include <utility>

namespace penstock::identity {
namespace {

constexpr std::string_view kCode = "R2101002420100A10000007KF";
constexpr std::string_view kAlphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

struct Caught {
    int changed = 0;
    int caught = 0;
};
void count(Caught& tally, std::string_view changed) {
    ++tally.changed;
    tally.caught += check_character(changed) != kCode.back() ? 1 : 0;
}

TEST(RegistrationCode, ReadsItsFieldsAndPrintsThem) {
    const auto code = parse_registration_code(kCode);

    ASSERT_TRUE(code) << to_string(code.error());
    EXPECT_EQ(code->node.view(), "R21");
    EXPECT_EQ(code->org.view(), "01002");
    EXPECT_EQ(code->city.view(), "420100");
    EXPECT_EQ(code->zone.view(), "A1");
    EXPECT_EQ(code->seq, 7U * 32 + 19);
    EXPECT_FALSE(code->is_service());
    EXPECT_EQ(to_string(*code), kCode);
}

TEST(RegistrationCode, ReadsTheHighestNumber) {
    const auto code = parse_registration_code("H037K2PX440300Z9ZZZZZZZZQ");
    ASSERT_TRUE(code);
    EXPECT_EQ(code->seq, kSeqMax);
    EXPECT_EQ(to_string(*code), "H037K2PX440300Z9ZZZZZZZZQ");
}

TEST(RegistrationCode, CheckCharacterCatchesEverySubstitution) {
    Caught tally;
    for (std::size_t i = 0; i < kUncheckedCodeLength; ++i)
        for (const char c : kAlphabet) {
            std::string changed(kCode.substr(0, kUncheckedCodeLength));
            if (std::exchange(changed[i], c) != c) count(tally, changed);
        }
    EXPECT_EQ(tally.changed, 840);
    EXPECT_EQ(tally.caught, 840);
}

TEST(RegistrationCode, CheckCharacterCatchesFifteenOfSixteenNeighbourSwaps) {
    Caught tally;
    for (std::size_t i = 0; i + 1 < kUncheckedCodeLength; ++i) {
        std::string changed(kCode.substr(0, kUncheckedCodeLength));
        std::swap(changed[i], changed[i + 1]);
        if (changed[i] != changed[i + 1]) count(tally, changed);
    }
    EXPECT_EQ(tally.changed, 16);
    EXPECT_EQ(tally.caught, 15);
    EXPECT_TRUE(parse_registration_code("R1201002420100A10000007KF")) << "the one that is missed";
}

TEST(RegistrationCode, ErrorsNameThePlaceAndTheRemedy) {
    EXPECT_EQ(
        to_string(parse_registration_code("R2101002420100A10000007KA").error()),
        "bad_check at octet 24: the check character is A, but the 24 characters before it need F; "
        "compare the code with its source; a character was mistyped or two were swapped"
    );
    EXPECT_EQ(
        to_string(parse_registration_code("R2101002420100A10000007IF").error()),
        "bad_reg at octet 23: the registration code has 'I' here; the number is base 32: digits "
        "and upper-case letters without I, L, O, U"
    );
    EXPECT_EQ(
        to_string(to_error(parse_registration_code("R21").error(), "reg")),
        "invalid_argument: reg: bad_reg at octet 3: a registration code has 25 characters, this "
        "one 3; copy the whole code, without spaces"
    );
}

TEST(RegistrationCode, OrdersLikeItsText) {
    const auto first = parse_registration_code("N0100001110100B0000000010");
    const auto second = parse_registration_code(kCode);
    EXPECT_LT(*first, *second);
    EXPECT_LT(to_string(*first), to_string(*second));
}

}  // namespace
}  // namespace penstock::identity
