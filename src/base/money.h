// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace penstock {

// A signed amount of micro-yuan (10⁻⁶ yuan), ±9.2 × 10¹² yuan. There is no implicit conversion and
// no floating point between a meter and an invoice.
class Money {
  public:
    constexpr Money() = default;
    static constexpr Money micro(std::int64_t value) { return Money(value); }
    constexpr std::int64_t micro() const { return micro_; }
    constexpr bool is_zero() const { return micro_ == 0; }
    constexpr bool is_negative() const { return micro_ < 0; }
    auto operator<=>(const Money&) const = default;

  private:
    constexpr explicit Money(std::int64_t value) : micro_(value) {}
    std::int64_t micro_ = 0;
};

// Overflow is an error, never a wrap.
Result<Money> add(Money left, Money right);
Result<Money> subtract(Money left, Money right);

// "12.50", "-0.000001": at least two decimals, at most six, no sign for zero.
std::string to_string(Money money);
// Reads a decimal of at most six places; anything that could not be held exactly is refused.
Result<Money> parse_money(std::string_view text);

// A price of `num` / 10^`scale` yuan for one unit of something. Unit and class stand beside it.
struct Price {
    static constexpr int kScaleMax = 15;
    std::int64_t num = 0;
    int scale = 0;
    bool operator==(const Price&) const = default;
};
// "0.0001" → {1, 4}; refuses a negative price and one with more than 15 decimals.
Result<Price> parse_price(std::string_view text);
std::string to_string(const Price& price);
// The price of one unit when `per` units cost `price` ("0.10 per million tokens" → per unit);
// `per` is a power of ten.
Result<Price> divide_price(const Price& price, std::int64_t per);

// An exact amount in 10⁻¹⁵ yuan, 128 bits wide: what rating adds up before rounding once.
class ExactMoney {
  public:
    static constexpr std::int64_t kPerMicro = 1'000'000'000;
    constexpr ExactMoney() = default;
    constexpr explicit ExactMoney(__int128 femto_yuan) : value_(femto_yuan) {}
    constexpr __int128 femto() const { return value_; }
    auto operator<=>(const ExactMoney&) const = default;

  private:
    __int128 value_ = 0;
};
Result<ExactMoney> add(ExactMoney left, ExactMoney right);
// quantity × price, exact. A quantity counts thousandths of the priced unit when `milli` is true.
enum class QuantityScale : std::uint8_t { one, milli };
Result<ExactMoney> multiply(std::int64_t quantity, QuantityScale scale, const Price& price);
// What a consumer is charged: rounded down to a micro-yuan.
Result<Money> floor_money(ExactMoney amount);
// What a hold reserves: rounded up to a micro-yuan, so that the posting always fits.
Result<Money> ceil_money(ExactMoney amount);
// floor(gross × basis points / 10⁴): the platform's fee. The provider gets gross − fee.
Result<Money> fee_of(Money gross, std::int64_t basis_points);

}  // namespace penstock
