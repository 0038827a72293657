// SPDX-License-Identifier: Apache-2.0
#include "model/units.h"

#include <algorithm>

namespace penstock {
namespace {

constexpr std::size_t kPlaces = 15;
constexpr std::size_t kWholeDigitsMax = 18;
constexpr std::int64_t kWholeEnd = 1'000'000'000'000'000'000;  // 10 to the kWholeDigitsMax

void append_padded(std::string& text, std::uint64_t value, std::size_t places) {
    const std::string digits = std::to_string(value);
    text.append(places - digits.size(), '0').append(digits);
}

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
    // Dividing 128 bits is slow: the digits come from 64.
    const __int128 whole = rest / Units::kPerWhole;
    const auto fraction = static_cast<std::uint64_t>(rest % Units::kPerWhole);
    std::string text = negative ? "-" : "";
    if (whole >= kWholeEnd) text += std::to_string(static_cast<std::uint64_t>(whole / kWholeEnd));
    const auto low = static_cast<std::uint64_t>(whole % kWholeEnd);
    if (whole >= kWholeEnd)
        append_padded(text, low, kWholeDigitsMax);
    else
        text += std::to_string(low);
    if (fraction == 0) return text;
    text += '.';
    append_padded(text, fraction, kPlaces);
    text.erase(text.find_last_not_of('0') + 1);
    return text;
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
