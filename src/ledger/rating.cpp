// SPDX-License-Identifier: Apache-2.0
#include "ledger/rating.h"

#include <algorithm>
#include <numeric>

#include "base/check.h"

namespace penstock::ledger {
namespace {

const PriceRow* find_price(const PriceList& prices, std::string_view meter_class) {
    const auto found = std::ranges::find(prices.rows, meter_class, &PriceRow::meter_class);
    return found == prices.rows.end() ? nullptr : &*found;
}

// Follows declared fallbacks; each at most once, so that a circle of them ends.
const PriceRow* price_of(const PriceList& prices, std::string_view meter_class) {
    for (std::size_t steps = 0; steps <= prices.fallbacks.size(); ++steps) {
        if (const PriceRow* row = find_price(prices, meter_class)) return row;
        const auto next =
            std::ranges::find(prices.fallbacks, meter_class, &PriceFallback::meter_class);
        if (next == prices.fallbacks.end()) return nullptr;
        meter_class = next->priced_as;
    }
    return nullptr;
}

}  // namespace

Result<Posting> advance(const Accumulator& accumulator, ExactMoney usage) {
    CHECK(
        accumulator.rem >= 0 && accumulator.rem < ExactMoney::kPerMicro,
        "advance() itself keeps the rest below a micro-yuan"
    );
    const ExactMoney before(
        static_cast<__int128>(accumulator.posted.micro()) * ExactMoney::kPerMicro + accumulator.rem
    );
    const ExactMoney total = TRY(add(before, usage));
    Posting posting;
    posting.next.posted = TRY(floor_money(total));
    posting.next.rem = static_cast<std::int64_t>(
        total.femto() - static_cast<__int128>(posting.next.posted.micro()) * ExactMoney::kPerMicro
    );
    posting.amount = TRY(subtract(posting.next.posted, accumulator.posted));
    return posting;
}

Accumulator Accumulators::find(std::string_view contract, std::string_view party) const {
    const auto by_party = by_contract_.find(contract);
    if (by_party == by_contract_.end()) return {};
    const auto found = by_party->second.find(party);
    return found == by_party->second.end() ? Accumulator{} : found->second;
}

Result<Posting> Accumulators::advance(
    std::string_view contract, std::string_view party, ExactMoney usage
) const {
    return ledger::advance(find(contract, party), usage);
}

AccumulatorRow Accumulators::put(
    std::string_view contract, std::string_view party, const Accumulator& value
) {
    AccumulatorRow row{std::string(contract), std::string(party), value};
    by_contract_[row.contract].insert_or_assign(row.party, value);
    return row;
}

std::vector<AccumulatorRow> Accumulators::rows() const {
    std::vector<AccumulatorRow> rows;
    for (const auto& [contract, by_party] : by_contract_)
        for (const auto& [party, value] : by_party) rows.push_back({contract, party, value});
    return rows;
}

Result<Rated> rate(std::span<const Quantity> quantities, const PriceList& prices) {
    Rated rated;
    for (const Quantity& quantity : quantities) {
        if (quantity.count < 0)
            return fail_field(
                ErrorCode::invalid_argument, quantity.meter_class, "a quantity is never negative"
            );
        const PriceRow* row = price_of(prices, quantity.meter_class);
        if (row == nullptr)
            return fail_field(
                ErrorCode::invalid_argument, quantity.meter_class,
                "has no price in version " + std::to_string(prices.version) +
                    " of the price list; add a price or a fallback for it"
            );
        const ExactMoney amount = TRY(multiply(quantity.count, quantity.scale, row->price));
        rated.total = TRY(add(rated.total, amount));
        rated.lines.push_back(
            {quantity.meter_class, quantity.count, quantity.scale, row->price, amount}
        );
    }
    return rated;
}

Result<GrossSplit> split_fee(Money gross, std::int64_t basis_points) {
    const Money fee = TRY(fee_of(gross, basis_points));
    return GrossSplit{.provider = TRY(subtract(gross, fee)), .fee = fee};
}

Result<std::vector<Money>> split_by_weight(Money total, std::span<const Share> shares) {
    if (shares.empty() || shares.size() > kSharesMax)
        return fail(ErrorCode::invalid_argument, "an amount is split over 1 to 1024 shares");
    if (total.is_negative())
        return fail(ErrorCode::invalid_argument, "only an amount of zero or more is split");
    __int128 weights = 0;
    for (const Share& share : shares) {
        if (share.weight < 0)
            return fail(
                ErrorCode::invalid_argument,
                "the weight of " + to_string(share.account) + " is negative"
            );
        weights += share.weight;
    }
    if (weights == 0) return fail(ErrorCode::invalid_argument, "all weights are zero");

    struct Part {
        std::size_t place;
        __int128 remainder;
    };
    std::vector<Money> amounts(shares.size());
    std::vector<Part> parts;
    __int128 left = total.micro();
    for (std::size_t i = 0; i < shares.size(); ++i) {
        const __int128 product = static_cast<__int128>(total.micro()) * shares[i].weight;
        amounts[i] = Money::micro(static_cast<std::int64_t>(product / weights));
        left -= product / weights;
        parts.push_back({i, product % weights});
    }
    std::ranges::sort(parts, [&](const Part& a, const Part& b) {
        if (a.remainder != b.remainder) return a.remainder > b.remainder;
        if (shares[a.place].account != shares[b.place].account)
            return shares[a.place].account < shares[b.place].account;
        return a.place < b.place;
    });
    CHECK(
        left >= 0 && left < static_cast<__int128>(parts.size()), "each floor loses less than one"
    );
    for (std::size_t i = 0; i < static_cast<std::size_t>(left); ++i) {
        Money& amount = amounts[parts[i].place];
        amount = Money::micro(amount.micro() + 1);
    }
    return amounts;
}

}  // namespace penstock::ledger
