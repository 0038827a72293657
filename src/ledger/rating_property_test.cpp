// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <array>
#include <numeric>

#include "ledger/rating.h"

namespace penstock::ledger {
namespace {

TEST(RatingProperty, CuttingAndReorderingReportsNeverChangesTheBill) {
    EXPECT_TRUE(rc::check([](const std::vector<std::uint16_t>& reports, std::uint32_t num) {
        const PriceList prices{.rows = {{"input_fresh", Price{num, 15}}}};
        const auto bill = [&](const std::vector<std::uint16_t>& cut) {
            Accumulator accumulator;
            Money posted;
            for (const std::uint16_t tokens : cut) {
                const std::array usage = {Quantity{"input_fresh", tokens}};
                const Posting posting = *advance(accumulator, rate(usage, prices)->total);
                RC_ASSERT(!posting.amount.is_negative());
                posted = *add(posted, posting.amount);
                accumulator = posting.next;
            }
            RC_ASSERT(posted == accumulator.posted);
            return accumulator;
        };
        const std::int64_t tokens =
            std::accumulate(reports.begin(), reports.end(), std::int64_t{0});
        const std::array usage = {Quantity{"input_fresh", tokens}};
        const Accumulator whole = advance(Accumulator{}, rate(usage, prices)->total)->next;
        const std::vector<std::uint16_t> reversed(reports.rbegin(), reports.rend());
        RC_ASSERT(bill(reports) == whole);
        RC_ASSERT(bill(reversed) == whole);
    }));
}

TEST(RatingProperty, APriceChangeKeepsTheRest) {
    EXPECT_TRUE(rc::check([](std::int32_t first, std::int32_t second) {
        const ExactMoney a(first), b(second);
        const Accumulator accumulator = advance(advance(Accumulator{}, a)->next, b)->next;
        RC_ASSERT(accumulator == advance(Accumulator{}, *add(a, b))->next);
        RC_ASSERT(accumulator.posted == *floor_money(*add(a, b)));
    }));
}

TEST(RatingProperty, FeeAndProviderAddUpForAnyRate) {
    EXPECT_TRUE(rc::check([]() {
        const Money gross = Money::micro(*rc::gen::inRange<std::int64_t>(0, INT64_MAX));
        const std::int64_t basis_points = *rc::gen::inRange<std::int64_t>(0, 10'001);
        const GrossSplit split = *split_fee(gross, basis_points);
        RC_ASSERT(*add(split.provider, split.fee) == gross);
        RC_ASSERT(!split.provider.is_negative() && !split.fee.is_negative());
    }));
}

TEST(RatingProperty, SharesAddUpAndDoNotDependOnTheirOrder) {
    EXPECT_TRUE(rc::check([](const std::vector<std::uint32_t>& weights) {
        std::vector<Share> shares;
        shares.reserve(weights.size());
        for (const std::uint32_t weight : weights)
            shares.push_back({AccountId(RawId{1, shares.size() + 1}), weight});
        RC_PRE(std::ranges::any_of(weights, [](std::uint32_t weight) { return weight > 0; }));
        const Money total = Money::micro(*rc::gen::inRange<std::int64_t>(0, INT64_MAX));
        const std::vector<Money> parts = *split_by_weight(total, shares);
        std::vector<Share> backwards(shares.rbegin(), shares.rend());
        std::vector<Money> other = *split_by_weight(total, backwards);
        std::ranges::reverse(other);
        Money sum;
        for (const Money part : parts) sum = *add(sum, part);
        RC_ASSERT(sum == total);
        RC_ASSERT(parts == other);
    }));
}

}  // namespace
}  // namespace penstock::ledger
