// SPDX-License-Identifier: Apache-2.0
#include "model/class_prices.h"

#include <boost/describe/members.hpp>
#include <boost/mp11/algorithm.hpp>

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

}  // namespace penstock
