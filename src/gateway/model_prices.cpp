// SPDX-License-Identifier: Apache-2.0
#include "gateway/model_prices.h"

#include <array>

#include "base/check.h"

namespace penstock::gateway {
namespace {

using routing::TokenClass;

// OpenRouter's names, in the order of routing::kTokenClasses; it has one for writes to a cache.
constexpr std::array<std::string_view, routing::kTokenClasses.size()> kNames{
    "prompt", "input_cache_read", "input_cache_write",  "input_cache_write_1h", "image_token",
    "audio",  "completion",       "internal_reasoning", "audio_output",
};

std::string_view name_of(TokenClass token_class) {
    return kNames.at(static_cast<std::size_t>(token_class));
}

void append_member(std::string& out, bool first, std::string_view name, std::string_view text) {
    if (!first) out += ',';
    out.append("\"").append(name).append("\":\"").append(text).append("\"");
}

}  // namespace

void append_pricing(std::string& out, const routing::TokenPrices& prices) {
    std::string fallbacks;
    out += R"(,"pricing":{)";
    for (const routing::TokenClassFacts& facts : routing::kTokenClasses) {
        const TokenClass token_class = facts.token_class;
        const routing::PriceOfClass found = routing::price_of(prices, token_class);
        const Result<Price> each = divide_price(found.price, kTokensPerPrice);
        CHECK(each.has_value(), "the route table refuses prices that cannot be rated");
        append_member(
            out, token_class == TokenClass::input_fresh, name_of(token_class), to_string(*each)
        );
        if (found.set_for != token_class)
            append_member(
                fallbacks, fallbacks.empty(), name_of(token_class), name_of(found.set_for)
            );
    }
    out += R"(},"pricing_currency":"CNY","pricing_fallbacks":{)" + fallbacks + '}';
}

}  // namespace penstock::gateway
