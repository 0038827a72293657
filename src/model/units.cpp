// SPDX-License-Identifier: Apache-2.0
#include "model/units.h"

#include <algorithm>

namespace penstock {
namespace {

constexpr std::size_t kPlaces = 15;
constexpr std::size_t kWholeDigitsMax = 18;

std::unexpected<Error> not_units(std::string_view text) {
    return fail(
        ErrorCode::invalid_argument,
        "'" + std::string(text.substr(0, 64)) +
            "' is not a decimal of at most 18 digits before and 15 behind the point"
    );
}

}  // namespace

std::string to_string(Units units) {
    __int128 rest = units.exact_money().femto();
    const bool negative = rest < 0;
    if (negative) rest = -rest;
    std::string digits;
    for (; rest > 0; rest /= 10) digits += static_cast<char>('0' + static_cast<int>(rest % 10));
    if (digits.size() <= kPlaces) digits.append(kPlaces + 1 - digits.size(), '0');
    std::ranges::reverse(digits);
    digits.insert(digits.size() - kPlaces, ".");
    while (digits.back() == '0') digits.pop_back();
    if (digits.back() == '.') digits.pop_back();
    return negative ? "-" + digits : digits;
}

Result<Units> parse_units(std::string_view text) {
    std::string_view rest = text;
    const bool negative = rest.starts_with('-');
    if (negative) rest.remove_prefix(1);
    const std::size_t point = rest.find('.');
    const std::string_view whole = rest.substr(0, point);
    const std::string_view fraction =
        point == std::string_view::npos ? std::string_view() : rest.substr(point + 1);
    const auto digits_only = [](std::string_view part) {
        return std::ranges::all_of(part, [](char c) { return c >= '0' && c <= '9'; });
    };
    const bool shaped = !whole.empty() && whole.size() <= kWholeDigitsMax &&
                        fraction.size() <= kPlaces && digits_only(whole) && digits_only(fraction) &&
                        (point == std::string_view::npos || !fraction.empty());
    if (!shaped) return not_units(text);
    __int128 value = 0;
    for (const char digit : whole) value = value * 10 + (digit - '0');
    for (std::size_t i = 0; i < kPlaces; ++i)
        value = value * 10 + (i < fraction.size() ? fraction[i] - '0' : 0);
    return Units::of(ExactMoney(negative ? -value : value));
}

}  // namespace penstock
