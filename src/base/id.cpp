// SPDX-License-Identifier: Apache-2.0
#include "base/id.h"

#include <algorithm>
#include <array>

#include "base/fixed_text.h"

namespace penstock {
namespace {

constexpr std::string_view kAlphabetText = "0123456789abcdefghjkmnpqrstvwxyz";
constexpr std::array<char, 32> kAlphabet = [] {
    std::array<char, 32> characters{};
    std::ranges::copy(kAlphabetText, characters.begin());
    return characters;
}();
constexpr std::size_t kTextLength = kRawIdBytes;  // 26 × 5 = 130 bits: the first character is 0…7

int digit_of(char c) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    const std::size_t at = kAlphabetText.find(c);
    return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

}  // namespace

char* write_raw_id(const RawId& id, char* to) {
    // 130 bits in two halves of 13 characters: 65 bits above, 65 bits below.
    constexpr std::size_t kHalf = kTextLength / 2;
    char* const text = to;
    std::uint64_t high = id.high >> 1;
    std::uint64_t low = id.low;
    for (std::size_t i = kHalf; i-- > 1; high >>= 5, low >>= 5) {
        text[i] = kAlphabet[high & 31];
        text[kHalf + i] = kAlphabet[low & 31];
    }
    text[0] = kAlphabet[high & 31];
    text[kHalf] =
        kAlphabet[(low | (id.high & 1) << 4) & 31];  // four bits are left of the lower half
    return to + kTextLength;
}

std::string to_string(const RawId& id) {
    std::array<char, kTextLength> text;
    write_raw_id(id, text.data());
    return {text.data(), text.size()};
}

Result<RawId> parse_raw_id(std::string_view text) {
    const auto bad = [&] {
        return fail(
            ErrorCode::invalid_argument,
            "'" + std::string(text) + "' is not an id: 26 characters of Crockford base 32 expected"
        );
    };
    if (text.size() != kTextLength) return bad();
    unsigned __int128 value = 0;
    for (const char c : text) {
        const int digit = digit_of(c);
        if (digit < 0 || (value >> 123) != 0) return bad();
        value = (value << 5) | static_cast<unsigned>(digit);
    }
    return RawId{static_cast<std::uint64_t>(value >> 64), static_cast<std::uint64_t>(value)};
}

RawId IdSource::next_raw(Time now) {
    const auto ms = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count()
    );
    const std::uint64_t last_ms = last_.high >> 16;
    if (ms > last_ms) {
        last_ = {(ms << 16) | (random_.next() & 0xFFFF), random_.next()};
    } else if (last_.low += 1 + (random_.next() & 0xFFFF); last_.low <= 0xFFFF) {
        ++last_.high;  // the low half wrapped: carry, so that the order is kept
    }
    return last_;
}

}  // namespace penstock
