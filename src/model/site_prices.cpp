// SPDX-License-Identifier: Apache-2.0
#include "model/site_prices.h"

#include <limits>

namespace penstock {

Result<Price> percent_of(const Price& price, std::int64_t percent) {
    __extension__ using Wide = __int128;
    Wide num = Wide{price.num} * percent;
    int scale = price.scale + 2;
    while (scale > 0 && (num % 10 == 0 || scale > Price::kScaleMax ||
                         num > std::numeric_limits<std::int64_t>::max())) {
        num = (num + 9) / 10;
        --scale;
    }
    if (num > std::numeric_limits<std::int64_t>::max())
        return fail(ErrorCode::invalid_argument, "the price " + to_string(price) + " is too large");
    return Price{static_cast<std::int64_t>(num), scale};
}

Result<PriceList> prices_at(const PriceList& list, std::optional<std::int64_t> percent) {
    if (!percent || *percent == 100) return list;
    PriceList reduced = list;
    reduced.core_second = TRY(percent_of(list.core_second, *percent));
    reduced.gib_second = TRY(percent_of(list.gib_second, *percent));
    for (auto& [model, price] : reduced.card_second) price = TRY(percent_of(price, *percent));
    return reduced;
}

}  // namespace penstock
