// SPDX-License-Identifier: Apache-2.0
#include "model/class_prices.h"

#include <boost/describe/members.hpp>
#include <boost/mp11/algorithm.hpp>
#include <limits>

namespace penstock {

Result<void> check(const ClassPrices& prices) {
    using Members = boost::describe::describe_members<ClassPrices, boost::describe::mod_public>;
    Result<void> fine;
    boost::mp11::mp_for_each<Members>([&](auto member) {
        const std::optional<Price>& price = prices.*member.pointer;
        if (fine && price && !divide_price(*price, kTokensPerPrice))
            fine = fail_field(
                ErrorCode::invalid_argument, std::string("class_prices.") + member.name,
                "has more than 9 decimals: the finest price is 0.000000001 yuan per million tokens"
            );
    });
    return fine;
}

Result<Price> share_of(const Price& price, std::int64_t percent) {
    constexpr int kNanoScale = 9;  // what a price per million tokens may have
    __extension__ using Wide = __int128;
    Wide num = Wide{price.num} * percent;
    int scale = price.scale + 2;
    constexpr Wide kMax = std::numeric_limits<std::int64_t>::max();
    while (scale > kNanoScale || (scale > 0 && (num % 10 == 0 || num > kMax))) {
        num /= 10;
        --scale;
    }
    if (num > kMax)
        return fail(ErrorCode::invalid_argument, "the price " + to_string(price) + " is too large");
    return Price{static_cast<std::int64_t>(num), scale};
}

Result<void> check_share(const std::optional<std::int64_t>& percent, std::string_view field) {
    constexpr std::int64_t kWhole = 100;
    if (!percent || (*percent >= 1 && *percent <= kWhole)) return {};
    return fail_field(
        ErrorCode::invalid_argument, std::string(field),
        "expected 1 to 100, the percent of the list prices; leave it out where it is not sold"
    );
}

}  // namespace penstock
