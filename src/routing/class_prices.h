// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/money.h"
#include "base/result.h"
#include "model/billing.h"
#include "model/class_prices.h"
#include "model/endpoint.h"
#include "routing/chat_request.h"

// What tokens cost by class: the fallbacks that model/class_prices.h declares, exact amounts, and
// what is reserved for a call. Used by gateway and server, so that both rate alike.
namespace penstock::routing {

enum class TokenClass : std::uint8_t {
    input_fresh,
    cache_read,
    cache_write_5m,
    cache_write_1h,
    input_image,
    input_audio,
    output_visible,
    output_reasoning,
    output_audio,
};

struct TokenClassFacts {
    TokenClass token_class;
    std::string_view name;   // of the member of TokenCounts
    std::string_view meter;  // on bill lines
    std::optional<std::int64_t> TokenCounts::* count;
    bool is_output;
};
constexpr std::array<TokenClassFacts, 9> kTokenClasses{{
    {TokenClass::input_fresh, "input_fresh", "input_tokens", &TokenCounts::input_fresh, false},
    {TokenClass::cache_read, "cache_read", "cache_read_tokens", &TokenCounts::cache_read, false},
    {TokenClass::cache_write_5m, "cache_write_5m", "cache_write_5m_tokens",
     &TokenCounts::cache_write_5m, false},
    {TokenClass::cache_write_1h, "cache_write_1h", "cache_write_1h_tokens",
     &TokenCounts::cache_write_1h, false},
    {TokenClass::input_image, "input_image", "image_tokens", &TokenCounts::input_image, false},
    {TokenClass::input_audio, "input_audio", "audio_tokens", &TokenCounts::input_audio, false},
    {TokenClass::output_visible, "output_visible", "output_tokens", &TokenCounts::output_visible,
     true},
    {TokenClass::output_reasoning, "output_reasoning", "reasoning_tokens",
     &TokenCounts::output_reasoning, true},
    {TokenClass::output_audio, "output_audio", "audio_output_tokens", &TokenCounts::output_audio,
     true},
}};
constexpr const TokenClassFacts& facts_of(TokenClass token_class) {
    return kTokenClasses.at(static_cast<std::size_t>(token_class));
}

// Prices of a route, in yuan per million tokens.
struct TokenPrices {
    Price input;
    Price output;
    std::optional<ClassPrices> classes = {};
    bool operator==(const TokenPrices&) const = default;
};
// Of an Endpoint, or of the CallRecord that it served.
template <class Priced>
TokenPrices prices_of(const Priced& priced) {
    return {priced.price_input, priced.price_output, priced.class_prices};
}

// Exactly, whatever their scales.
std::strong_ordering compare_prices(const Price& a, const Price& b);
// For comparing routes only; charges are rated exactly.
double rough_price(const Price& price);

// The price that a class costs, and the class that it was set for.
struct PriceOfClass {
    Price price;
    TokenClass set_for = TokenClass::input_fresh;
};
PriceOfClass price_of(const TokenPrices& prices, TokenClass token_class);
// The dearest class of each side, fallbacks counted: what a limit on a price is held against.
TokenPrices dearest_prices(const TokenPrices& prices);
// Makes the prices of a record that share of what they were; see share_of().
Result<void> reduce_prices(CallRecord& record, std::int64_t percent);
// Whether every one of them can be rated; invalid_argument names the one that is too fine.
Result<void> check(const TokenPrices& prices);
// All classes, in the order of kTokenClasses, with the fallback that was used.
std::vector<PriceRow> price_rows(const TokenPrices& prices);

struct RatedClass {
    TokenClass token_class = TokenClass::input_fresh;
    std::int64_t quantity = 0;
    Price price;  // of one token
    TokenClass set_for = TokenClass::input_fresh;
    ExactMoney amount;
};
struct RatedTokens {
    std::vector<RatedClass> classes;  // fresh input and visible output always, others if not zero
    ExactMoney total;
};
// Exact, in 128 bits: the total is the sum of the amounts.
Result<RatedTokens> rate_tokens(const TokenCounts& tokens, const TokenPrices& prices);
// The total alone. An absent class adds nothing.
Result<ExactMoney> charge_of(const TokenCounts& tokens, const TokenPrices& prices);
// Input and output of every class together: what limits on tokens count.
std::int64_t total_tokens(const TokenCounts& tokens);
// One side of them.
std::int64_t input_tokens(const TokenCounts& tokens);
std::int64_t output_tokens(const TokenCounts& tokens);
// What is reserved for a call: the bound at the dearest class of input and of output, rounded up to
// a micro-yuan. No settlement within the bound is above it.
Result<Money> worst_case(const TokenBound& bound, const TokenPrices& prices);
// The same before it is rounded.
Result<ExactMoney> worst_case_exact(const TokenBound& bound, const TokenPrices& prices);

}  // namespace penstock::routing
