// SPDX-License-Identifier: Apache-2.0
#include "routing/class_prices.h"

#include <algorithm>

namespace penstock::routing {
namespace {

Result<ExactMoney> amount_of(std::int64_t tokens, const Price& per_million) {
    return multiply(tokens, QuantityScale::one, TRY(divide_price(per_million, kTokensPerPrice)));
}

// `tokens` at the dearest class of one side.
Result<ExactMoney> dearest(std::int64_t tokens, const TokenPrices& prices, bool output) {
    if (!prices.classes) return amount_of(tokens, output ? prices.output : prices.input);
    ExactMoney most;
    for (const TokenClassFacts& facts : kTokenClasses)
        if (facts.is_output == output)
            most =
                std::max(most, TRY(amount_of(tokens, price_of(prices, facts.token_class).price)));
    return most;
}

std::int64_t tokens_of_side(const TokenCounts& tokens, bool output) {
    std::int64_t sum = 0;
    for (const TokenClassFacts& facts : kTokenClasses)
        if (facts.is_output == output) sum += (tokens.*facts.count).value_or(0);
    return sum;
}

}  // namespace

// num_a × 10^scale_b against num_b × 10^scale_a.
std::strong_ordering compare_prices(const Price& a, const Price& b) {
    __int128 left = a.num;
    __int128 right = b.num;
    for (int i = a.scale; i < b.scale; ++i) left *= 10;
    for (int i = b.scale; i < a.scale; ++i) right *= 10;
    return left <=> right;
}

double rough_price(const Price& price) {
    // A scale is at most Price::kScaleMax and usually 2: a loop costs less than what pow() reads.
    double divisor = 1;
    for (int place = 0; place < price.scale; ++place) divisor *= 10;
    return static_cast<double>(price.num) / divisor;
}

PriceOfClass price_of(const TokenPrices& prices, TokenClass token_class) {
    const auto own = [&](std::optional<Price> ClassPrices::* member) {
        return prices.classes ? (*prices.classes).*member : std::nullopt;
    };
    switch (token_class) {
        case TokenClass::input_fresh:
            return {prices.input, TokenClass::input_fresh};
        case TokenClass::output_visible:
            return {prices.output, TokenClass::output_visible};
        case TokenClass::cache_read:
            if (const auto price = own(&ClassPrices::cache_read)) return {*price, token_class};
            return price_of(prices, TokenClass::input_fresh);
        case TokenClass::cache_write_5m:
            if (const auto price = own(&ClassPrices::cache_write_5m)) return {*price, token_class};
            return price_of(prices, TokenClass::input_fresh);
        case TokenClass::cache_write_1h:
            if (const auto price = own(&ClassPrices::cache_write_1h)) return {*price, token_class};
            return price_of(prices, TokenClass::cache_write_5m);
        case TokenClass::input_image:
            if (const auto price = own(&ClassPrices::input_image)) return {*price, token_class};
            return price_of(prices, TokenClass::input_fresh);
        case TokenClass::input_audio:
            if (const auto price = own(&ClassPrices::input_audio)) return {*price, token_class};
            return price_of(prices, TokenClass::input_fresh);
        case TokenClass::output_reasoning:
            if (const auto price = own(&ClassPrices::output_reasoning))
                return {*price, token_class};
            return price_of(prices, TokenClass::output_visible);
        case TokenClass::output_audio:
            if (const auto price = own(&ClassPrices::output_audio)) return {*price, token_class};
            return price_of(prices, TokenClass::output_visible);
    }
    return {prices.input, TokenClass::input_fresh};
}

TokenPrices dearest_prices(const TokenPrices& prices) {
    TokenPrices most{prices.input, prices.output};
    if (!prices.classes) return most;
    for (const TokenClassFacts& facts : kTokenClasses) {
        const Price price = price_of(prices, facts.token_class).price;
        Price& side = facts.is_output ? most.output : most.input;
        if (compare_prices(price, side) > 0) side = price;
    }
    return most;
}

Result<void> reduce_prices(CallRecord& record, std::int64_t percent) {
    record.price_input = TRY(share_of(record.price_input, percent));
    record.price_output = TRY(share_of(record.price_output, percent));
    if (!record.class_prices) return {};
    for (std::optional<Price> ClassPrices::* const member :
         {&ClassPrices::cache_read, &ClassPrices::cache_write_5m, &ClassPrices::cache_write_1h,
          &ClassPrices::input_image, &ClassPrices::input_audio, &ClassPrices::output_reasoning,
          &ClassPrices::output_audio})
        if (std::optional<Price>& price = *record.class_prices.*member)
            price = TRY(share_of(*price, percent));
    return {};
}

Result<void> check(const TokenPrices& prices) {
    const auto fine = [](const Price& price) {
        return divide_price(price, kTokensPerPrice).has_value();
    };
    constexpr std::string_view kTooFine =
        "has more than 9 decimals: the finest price is 0.000000001 yuan per million tokens";
    if (!fine(prices.input))
        return fail_field(ErrorCode::invalid_argument, "price_input", std::string(kTooFine));
    if (!fine(prices.output))
        return fail_field(ErrorCode::invalid_argument, "price_output", std::string(kTooFine));
    return prices.classes ? check(*prices.classes) : Result<void>();
}

std::vector<PriceRow> price_rows(const TokenPrices& prices) {
    std::vector<PriceRow> rows;
    rows.reserve(kTokenClasses.size());
    for (const TokenClassFacts& facts : kTokenClasses) {
        const PriceOfClass found = price_of(prices, facts.token_class);
        PriceRow& row = rows.emplace_back(std::string(facts.name), found.price);
        if (found.set_for != facts.token_class) row.priced_as = facts_of(found.set_for).name;
    }
    return rows;
}

Result<RatedTokens> rate_tokens(const TokenCounts& tokens, const TokenPrices& prices) {
    RatedTokens rated;
    rated.classes.reserve(kTokenClasses.size());
    for (const TokenClassFacts& facts : kTokenClasses) {
        const std::int64_t quantity = (tokens.*facts.count).value_or(0);
        const PriceOfClass found = price_of(prices, facts.token_class);
        const Price each = TRY(divide_price(found.price, kTokensPerPrice));
        const bool always = facts.token_class == TokenClass::input_fresh ||
                            facts.token_class == TokenClass::output_visible;
        if (quantity == 0 && !always) continue;
        const ExactMoney amount = TRY(multiply(quantity, QuantityScale::one, each));
        rated.total = TRY(add(rated.total, amount));
        rated.classes.push_back({facts.token_class, quantity, each, found.set_for, amount});
    }
    return rated;
}

Result<ExactMoney> charge_of(const TokenCounts& tokens, const TokenPrices& prices) {
    ExactMoney total;
    for (const TokenClassFacts& facts : kTokenClasses) {
        const std::int64_t quantity = (tokens.*facts.count).value_or(0);
        if (quantity == 0) continue;
        const Price price = price_of(prices, facts.token_class).price;
        total = TRY(add(total, TRY(amount_of(quantity, price))));
    }
    return total;
}

std::int64_t total_tokens(const TokenCounts& tokens) {
    return input_tokens(tokens) + output_tokens(tokens);
}

std::int64_t input_tokens(const TokenCounts& tokens) { return tokens_of_side(tokens, false); }
std::int64_t output_tokens(const TokenCounts& tokens) { return tokens_of_side(tokens, true); }

Result<ExactMoney> worst_case_exact(const TokenBound& bound, const TokenPrices& prices) {
    return add(TRY(dearest(bound.input, prices, false)), TRY(dearest(bound.output, prices, true)));
}

Result<Money> worst_case(const TokenBound& bound, const TokenPrices& prices) {
    return ceil_money(TRY(worst_case_exact(bound, prices)));
}

}  // namespace penstock::routing
