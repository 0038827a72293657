// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

// The character classes of the C-URL grammar. ASCII only and locale-free: one table look-up each.
namespace penstock::identity {

enum class CharacterClass : std::uint8_t {
    digit = 1,
    upper = 2,
    lower = 4,
    base32 = 8,    // Crockford: digits and upper-case letters without I L O U
    visible = 16,  // %x21-7E, what a C-URL may hold at all
    value = 32,    // what a q. parameter's value may hold
};

namespace detail {
constexpr std::string_view kBase32Alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr std::string_view kValuePunctuation = "._~,:-";

constexpr std::array<std::uint8_t, 256> kCharacterClasses = [] {
    std::array<std::uint8_t, 256> table{};
    for (unsigned c = 0x21; c <= 0x7E; ++c) {
        const char letter = static_cast<char>(c);
        unsigned bits = static_cast<unsigned>(CharacterClass::visible);
        const auto add = [&bits](CharacterClass one) { bits |= static_cast<unsigned>(one); };
        if (letter >= '0' && letter <= '9') add(CharacterClass::digit);
        if (letter >= 'A' && letter <= 'Z') add(CharacterClass::upper);
        if (letter >= 'a' && letter <= 'z') add(CharacterClass::lower);
        if (kBase32Alphabet.contains(letter)) add(CharacterClass::base32);
        if ((bits & 7) != 0 || kValuePunctuation.contains(letter)) add(CharacterClass::value);
        table[c] = static_cast<std::uint8_t>(bits);
    }
    return table;
}();

constexpr std::array<std::uint8_t, 256> kBase32Values = [] {
    std::array<std::uint8_t, 256> table{};
    for (std::size_t i = 0; i < kBase32Alphabet.size(); ++i)
        table[static_cast<unsigned char>(kBase32Alphabet[i])] = static_cast<std::uint8_t>(i);
    return table;
}();
}  // namespace detail

// A union of classes.
class CharacterSet {
  public:
    constexpr CharacterSet(CharacterClass one) : bits_(static_cast<std::uint8_t>(one)) {}
    constexpr bool holds(char c) const {
        return (detail::kCharacterClasses[static_cast<unsigned char>(c)] & bits_) != 0;
    }
    constexpr bool holds_all(std::string_view text) const {
        return std::ranges::all_of(text, [this](char c) { return holds(c); });
    }
    friend constexpr CharacterSet operator|(CharacterSet left, CharacterSet right) {
        left.bits_ = static_cast<std::uint8_t>(left.bits_ | right.bits_);
        return left;
    }

  private:
    std::uint8_t bits_;
};

inline constexpr CharacterSet kDigit = CharacterClass::digit;
inline constexpr CharacterSet kUpper = CharacterClass::upper;
inline constexpr CharacterSet kLower = CharacterClass::lower;
inline constexpr CharacterSet kUpperOrDigit = kUpper | kDigit;
inline constexpr CharacterSet kLowerOrDigit = kLower | kDigit;
inline constexpr CharacterSet kBase32 = CharacterClass::base32;
inline constexpr CharacterSet kVisible = CharacterClass::visible;
inline constexpr CharacterSet kValueCharacter = CharacterClass::value;

constexpr std::uint8_t base32_value(char c) {
    return detail::kBase32Values[static_cast<unsigned char>(c)];
}
constexpr char base32_character(unsigned value) { return detail::kBase32Alphabet[value & 31]; }

}  // namespace penstock::identity
