// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/money.h"
#include "base/result.h"

namespace penstock {

// So much of whatever an account counts: yuan, requests, tokens or calls at one time. Exact to
// 10⁻¹⁵ of a unit, 128 bits wide: limits are at most kUnitsMax, so sums of them do not overflow.
class Units {
  public:
    static constexpr std::int64_t kPerWhole = 1'000'000'000'000'000;
    constexpr Units() = default;
    static constexpr Units whole(std::int64_t count) {
        return Units(static_cast<__int128>(count) * kPerWhole);
    }
    static constexpr Units of(Money money) {
        return Units(static_cast<__int128>(money.micro()) * ExactMoney::kPerMicro);
    }
    static constexpr Units of(ExactMoney money) { return Units(money.femto()); }

    constexpr ExactMoney exact_money() const { return ExactMoney(value_); }
    constexpr Money floor_money() const {
        return Money::micro(static_cast<std::int64_t>(value_ / ExactMoney::kPerMicro));
    }
    // Of counts, which are whole by their nature.
    constexpr std::int64_t count() const { return static_cast<std::int64_t>(value_ / kPerWhole); }
    constexpr bool is_zero() const { return value_ == 0; }
    constexpr bool is_negative() const { return value_ < 0; }
    auto operator<=>(const Units&) const = default;
    constexpr Units operator+(Units other) const { return Units(value_ + other.value_); }
    constexpr Units operator-(Units other) const { return Units(value_ - other.value_); }
    constexpr Units& operator+=(Units other) { return *this = *this + other; }
    constexpr Units& operator-=(Units other) { return *this = *this - other; }
    constexpr Units operator/(std::int64_t by) const { return Units(value_ / by); }
    // Rounded down to a multiple of `step`.
    constexpr Units floor_to(Units step) const { return Units(value_ - value_ % step.value_); }

  private:
    constexpr explicit Units(__int128 value) : value_(value) {}
    __int128 value_ = 0;
};
constexpr Units kUnitsMax = Units::whole(1'000'000'000'000'000);

// A decimal without trailing zeros: "60", "0.00056".
std::string to_string(Units units);
// A decimal of at most 15 places, within ±kUnitsMax × 1000.
Result<Units> parse_units(std::string_view text);

}  // namespace penstock
