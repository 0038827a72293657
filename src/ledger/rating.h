// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/money.h"
#include "base/result.h"
#include "ledger/account.h"

namespace penstock::ledger {

// The exact amount charged so far under one contract for one party, as whole micro-yuan and a rest
// in 10⁻¹⁵ yuan. However usage is cut into reports, the sum posted is floor(exact total).
struct Accumulator {
    Money posted;
    std::int64_t rem = 0;  // [0, 10⁹)
    bool operator==(const Accumulator&) const = default;
};
struct Posting {
    Accumulator next;
    Money amount;  // next.posted − previous.posted; may be zero, negative after a correction
};
Result<Posting> advance(const Accumulator& accumulator, ExactMoney usage);

struct AccumulatorRow {
    std::string contract, party;
    Accumulator value;
    bool operator==(const AccumulatorRow&) const = default;
};
// All accumulators. Ask for a posting first, put it when its transfer succeeded, store the row.
class Accumulators {
  public:
    Accumulator find(std::string_view contract, std::string_view party) const;
    Result<Posting> advance(std::string_view contract, std::string_view party, ExactMoney usage)
        const;
    AccumulatorRow put(std::string_view contract, std::string_view party, const Accumulator& value);
    std::vector<AccumulatorRow> rows() const;

  private:
    using ByParty = std::map<std::string, Accumulator, std::less<>>;
    std::map<std::string, ByParty, std::less<>> by_contract_;
};

// A meter class is a disjoint kind of usage: "card_second", "input_fresh", "output_visible" …
struct Quantity {
    std::string meter_class;
    std::int64_t count = 0;
    QuantityScale scale = QuantityScale::one;
};
struct PriceRow {
    std::string meter_class;
    Price price;  // per unit
};
// "cache_read is priced as input_fresh where it has no price of its own."
struct PriceFallback {
    std::string meter_class;
    std::string priced_as;
};
struct PriceList {
    std::int64_t version = 0;
    std::vector<PriceRow> rows = {};
    std::vector<PriceFallback> fallbacks = {};
};

struct RatedLine {
    std::string meter_class;
    std::int64_t count = 0;
    QuantityScale scale = QuantityScale::one;
    Price price;
    ExactMoney amount;
};
struct Rated {
    std::vector<RatedLine> lines;  // one per quantity, in order
    ExactMoney total;
};
// Exact; a class with neither price nor declared fallback is an error, never free.
Result<Rated> rate(std::span<const Quantity> quantities, const PriceList& prices);

struct GrossSplit {
    Money provider, fee;  // provider + fee == gross
};
Result<GrossSplit> split_fee(Money gross, std::int64_t basis_points);

struct Share {
    AccountId account;
    std::int64_t weight = 0;  // ≥ 0, not all zero
};
constexpr std::size_t kSharesMax = 1'024;
// Largest remainder, ties by account id. Adds up to `total`; in the order of `shares`.
Result<std::vector<Money>> split_by_weight(Money total, std::span<const Share> shares);

}  // namespace penstock::ledger
