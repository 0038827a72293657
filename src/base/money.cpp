// SPDX-License-Identifier: Apache-2.0
#include "base/money.h"

#include <algorithm>
#include <limits>

namespace penstock {
namespace {

constexpr std::int64_t kBasisPointsPerOne = 10'000;

std::unexpected<Error> overflow(std::string_view what) {
    return fail(
        ErrorCode::invalid_argument, std::string(what) + " is too large for a money amount"
    );
}

__int128 power_of_ten(int exponent) {
    __int128 value = 1;
    for (int i = 0; i < exponent; ++i) value *= 10;
    return value;
}

struct Decimal {
    bool negative = false;
    std::int64_t digits = 0;
    int places = 0;
};

// decimal = ["-"] 1*DIGIT ["." 1*DIGIT]
Result<Decimal> parse_decimal(std::string_view text, int places_max) {
    const auto bad = [&](std::string_view why) {
        return fail(
            ErrorCode::invalid_argument, "'" + std::string(text) + "' is not an amount: " +
                                             std::string(why) + " (write it as 12.50)"
        );
    };
    Decimal decimal;
    std::string_view rest = text;
    if (rest.starts_with('-')) {
        decimal.negative = true;
        rest.remove_prefix(1);
    }
    bool dot = false;
    bool digit = false;
    for (const char c : rest) {
        if (c == '.' && !dot && digit) {
            dot = true;
            digit = false;
            continue;
        }
        if (c < '0' || c > '9') return bad("only digits and one point are allowed");
        digit = true;
        if (dot && ++decimal.places > places_max)
            return bad("at most " + std::to_string(places_max) + " decimals");
        if (__builtin_mul_overflow(decimal.digits, 10, &decimal.digits) ||
            __builtin_add_overflow(decimal.digits, c - '0', &decimal.digits))
            return bad("too large");
    }
    if (!digit) return bad("a digit is missing");
    return decimal;
}

std::string print_decimal(std::int64_t value, int scale, int places_min) {
    // From the last digit to the first.
    std::string reversed;
    // The magnitude of the least value has no signed form.
    const auto bits = static_cast<std::uint64_t>(value);
    std::uint64_t rest = value < 0 ? -bits : bits;
    for (int place = scale; place > 0; --place, rest /= 10)
        if (!reversed.empty() || rest % 10 != 0 || place <= places_min)
            reversed += static_cast<char>('0' + rest % 10);
    if (!reversed.empty()) reversed += '.';
    do reversed += static_cast<char>('0' + rest % 10);
    while ((rest /= 10) > 0);
    if (value < 0) reversed += '-';
    std::ranges::reverse(reversed);
    return reversed;
}

}  // namespace

Result<Money> add(Money left, Money right) {
    std::int64_t sum = 0;
    if (__builtin_add_overflow(left.micro(), right.micro(), &sum)) return overflow("the sum");
    return Money::micro(sum);
}

Result<Money> subtract(Money left, Money right) {
    std::int64_t difference = 0;
    if (__builtin_sub_overflow(left.micro(), right.micro(), &difference))
        return overflow("the difference");
    return Money::micro(difference);
}

std::string to_string(Money money) { return print_decimal(money.micro(), 6, 2); }

Result<Money> parse_money(std::string_view text) {
    constexpr int kPlaces = 6;
    const Decimal decimal = TRY(parse_decimal(text, kPlaces));
    const __int128 micro =
        static_cast<__int128>(decimal.digits) * power_of_ten(kPlaces - decimal.places);
    if (micro > std::numeric_limits<std::int64_t>::max()) return overflow(text);
    const auto value = static_cast<std::int64_t>(micro);
    return Money::micro(decimal.negative ? -value : value);
}

Result<Price> parse_price(std::string_view text) {
    const Decimal decimal = TRY(parse_decimal(text, Price::kScaleMax));
    if (decimal.negative)
        return fail(
            ErrorCode::invalid_argument, "a price may not be negative: " + std::string(text)
        );
    Price price{decimal.digits, decimal.places};
    while (price.scale > 0 && price.num % 10 == 0) {
        price.num /= 10;
        --price.scale;
    }
    return price;
}

std::string to_string(const Price& price) { return print_decimal(price.num, price.scale, 0); }

Result<Price> divide_price(const Price& price, std::int64_t per) {
    Price divided = price;
    for (; per > 1; per /= 10) {
        if (per % 10 != 0)
            return fail(
                ErrorCode::invalid_argument, "a price can be divided by powers of ten only"
            );
        if (divided.num % 10 == 0 && divided.num != 0) {
            divided.num /= 10;
        } else if (++divided.scale > Price::kScaleMax) {
            return fail(
                ErrorCode::invalid_argument,
                "the price " + to_string(price) + " is finer than 10⁻¹⁵ yuan a unit"
            );
        }
    }
    return divided;
}

Result<ExactMoney> add(ExactMoney left, ExactMoney right) {
    __int128 sum = 0;
    if (__builtin_add_overflow(left.femto(), right.femto(), &sum)) return overflow("the sum");
    return ExactMoney(sum);
}

Result<ExactMoney> multiply(std::int64_t quantity, QuantityScale scale, const Price& price) {
    if (price.scale < 0 || price.scale > Price::kScaleMax) return overflow("the price's scale");
    // femto-yuan = quantity × num × 10^(15 − scale) [/ 1000]; the division happens only in
    // rounding, so a milli quantity needs three more places than the price leaves free.
    const __int128 product = static_cast<__int128>(quantity) * price.num;
    int exponent = Price::kScaleMax - price.scale;
    if (scale == QuantityScale::milli) exponent -= 3;
    if (exponent < 0)
        return fail(
            ErrorCode::invalid_argument,
            "the price " + to_string(price) + " is too fine for a metered unit: at most 12 decimals"
        );
    __int128 femto = 0;
    if (__builtin_mul_overflow(product, power_of_ten(exponent), &femto))
        return overflow("the amount");
    return ExactMoney(femto);
}

Result<Money> floor_money(ExactMoney amount) {
    __int128 micro = amount.femto() / ExactMoney::kPerMicro;
    if (amount.femto() % ExactMoney::kPerMicro < 0) --micro;
    if (micro > std::numeric_limits<std::int64_t>::max() ||
        micro < std::numeric_limits<std::int64_t>::min())
        return overflow("the amount");
    return Money::micro(static_cast<std::int64_t>(micro));
}

Result<Money> ceil_money(ExactMoney amount) {
    const Money floor = TRY(floor_money(amount));
    const bool exact = amount.femto() % ExactMoney::kPerMicro == 0;
    return exact ? Result<Money>(floor) : add(floor, Money::micro(1));
}

Result<Money> fee_of(Money gross, std::int64_t basis_points) {
    if (basis_points < 0 || basis_points > kBasisPointsPerOne || gross.is_negative())
        return fail(ErrorCode::invalid_argument, "a fee is 0 to 10000 basis points of a charge");
    const __int128 fee = static_cast<__int128>(gross.micro()) * basis_points / kBasisPointsPerOne;
    return Money::micro(static_cast<std::int64_t>(fee));
}

}  // namespace penstock
