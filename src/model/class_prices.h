// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/describe/class.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/money.h"
#include "base/result.h"

// Prices of token classes: whole nano-yuan per 1,000,000 tokens. The two prices of an endpoint are
// those of fresh input and of visible output; every other class may have one of its own. One that
// has none costs what the next class of its row costs:
//     cache_read       → input_fresh
//     cache_write_5m   → input_fresh
//     cache_write_1h   → cache_write_5m → input_fresh
//     input_image      → input_fresh
//     input_audio      → input_fresh
//     output_reasoning → output_visible
//     output_audio     → output_visible
// routing/class_prices.h applies the rule; prices are never shown without saying where it was used.
namespace penstock {

constexpr std::int64_t kTokensPerPrice = 1'000'000;

struct ClassPrices {
    static constexpr bool kJsonDefaults = true;
    std::optional<Price> cache_read;
    std::optional<Price> cache_write_5m;
    std::optional<Price> cache_write_1h;
    std::optional<Price> input_image;
    std::optional<Price> input_audio;
    std::optional<Price> output_reasoning;
    std::optional<Price> output_audio;
    bool operator==(const ClassPrices&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    ClassPrices, (),
    (cache_read, cache_write_5m, cache_write_1h, input_image, input_audio, output_reasoning,
     output_audio)
)

// invalid_argument, naming the class, where one is finer than a nano-yuan per 1,000,000 tokens.
Result<void> check(const ClassPrices& prices);

// What `percent` of a price per million tokens is, rounded down to a nano-yuan: lines of batches
// and kept answers are sold at declared shares of the list prices. An error: the price is too
// large.
Result<Price> share_of(const Price& price, std::int64_t percent);
// invalid_argument, naming `field`, where a declared share is not 1 to 100.
Result<void> check_share(const std::optional<std::int64_t>& percent, std::string_view field);

// What one class costs, as it is shown.
struct PriceRow {
    std::string token_class;               // a member of TokenCounts
    Price price;                           // yuan per million tokens
    std::optional<std::string> priced_as;  // the class whose price it is, by the rule above
    bool operator==(const PriceRow&) const = default;
};
BOOST_DESCRIBE_STRUCT(PriceRow, (), (token_class, price, priced_as))

}  // namespace penstock
