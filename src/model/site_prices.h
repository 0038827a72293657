// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "base/money.h"
#include "model/site.h"

namespace penstock {

// `percent` of a price; exact, or rounded up at the last decimal a price has.
Result<Price> percent_of(const Price& price, std::int64_t percent);
// The list with CPU, memory and cards at `percent` of it; absent: as it is.
Result<PriceList> prices_at(const PriceList& list, std::optional<std::int64_t> percent);

}  // namespace penstock
