// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "routing/class_prices.h"

namespace penstock::gateway {

// Members of a model in GET /v1/models, with a comma in front: `pricing` as OpenRouter has it,
// decimal text for one token, `pricing_currency`, and `pricing_fallbacks`, which names the member
// whose price stands for one that the seller set none for.
void append_pricing(std::string& out, const routing::TokenPrices& prices);

}  // namespace penstock::gateway
