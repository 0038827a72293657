// SPDX-License-Identifier: Apache-2.0
#include "routing/lease_pool.h"

#include <gtest/gtest.h>

namespace penstock::routing {
namespace {

const Time kStart = Time(1'700'000'000s);
const OrganisationId kOrganisation(RawId{1, 1});

constexpr Money yuan(std::int64_t value) { return Money::micro(value * 1'000'000); }
constexpr ExactMoney exact_micro(std::int64_t micro) {
    return ExactMoney(__int128{micro} * ExactMoney::kPerMicro);
}

BudgetLease lease(std::uint64_t id, std::int64_t epoch, Money amount, Duration lives = 30s) {
    return {
        .id = LeaseId(RawId{2, id}),
        .organisation_id = kOrganisation,
        .replica = "g",
        .epoch = epoch,
        .amount = amount,
        .expires_at = kStart + lives
    };
}

std::string shown(const LeasePool& pool) {
    std::string out;
    for (const LeaseView& view : pool.leases(kOrganisation)) {
        const auto micro = [](ExactMoney m) {
            return std::to_string(static_cast<std::int64_t>(m.femto() / ExactMoney::kPerMicro));
        };
        out += "granted " + micro(view.granted) + " held " + micro(view.held) + " spent " +
               micro(view.spent) + " free " + micro(view.free) + "\n";
    }
    return out;
}

struct PoolWithLease {
    LeasePool pool{yuan(1)};
    PoolWithLease(Money amount = yuan(1)) {
        EXPECT_TRUE(pool.grant(lease(1, 1, amount), pool.begin_renewal(kOrganisation, {}), kStart));
    }
};

TEST(LeasePool, HoldsThenReplacesTheHoldByTheCharge) {
    PoolWithLease f;
    const Result<Hold> hold = f.pool.reserve(kOrganisation, Money::micro(400'000), kStart);
    ASSERT_TRUE(hold);
    EXPECT_EQ(shown(f.pool), "granted 1000000 held 400000 spent 0 free 600000\n");
    f.pool.settle(*hold, exact_micro(150'000));
    EXPECT_EQ(shown(f.pool), "granted 1000000 held 0 spent 150000 free 850000\n");
}

TEST(LeasePool, RefusesWhatDoesNotFitWhole) {
    PoolWithLease f;
    ASSERT_TRUE(f.pool.reserve(kOrganisation, Money::micro(600'000), kStart));
    EXPECT_EQ(
        f.pool.reserve(kOrganisation, Money::micro(400'001), kStart).error().code,
        ErrorCode::insufficient_funds
    );
    EXPECT_TRUE(f.pool.reserve(kOrganisation, Money::micro(400'000), kStart));
}

TEST(LeasePool, BeginsNoHoldOnALeaseThatIsAboutToExpire) {
    PoolWithLease f;
    EXPECT_EQ(
        f.pool.reserve(kOrganisation, yuan(1), kStart + 29s).error().code, ErrorCode::unavailable
    );
}

TEST(LeasePool, KeepsAHoldPastTheExpiryOfItsLease) {
    PoolWithLease f;
    const Hold hold = *f.pool.reserve(kOrganisation, yuan(1), kStart);
    EXPECT_EQ(f.pool.sweep(kStart + 1h), std::vector{kOrganisation});
    f.pool.settle(hold, exact_micro(1));
    EXPECT_TRUE(f.pool.sweep(kStart + 1h).empty());
    EXPECT_EQ(shown(f.pool), "");
}

TEST(LeasePool, WantsARenewalBelowAQuarter) {
    PoolWithLease f;
    EXPECT_FALSE(f.pool.wants_renewal(kOrganisation, kStart));
    f.pool.settle(
        *f.pool.reserve(kOrganisation, Money::micro(750'001), kStart), exact_micro(750'001)
    );
    EXPECT_TRUE(f.pool.wants_renewal(kOrganisation, kStart));
}

TEST(LeasePool, RenewalKeepsHoldsAndDropsWhatTheServerHasCounted) {
    PoolWithLease f;
    const Hold open = *f.pool.reserve(kOrganisation, Money::micro(100'000), kStart);
    f.pool.settle(
        *f.pool.reserve(kOrganisation, Money::micro(200'000), kStart), exact_micro(200'000)
    );
    f.pool.settle(
        *f.pool.reserve(kOrganisation, Money::micro(50'000), kStart), exact_micro(50'000)
    );
    f.pool.acknowledge(kOrganisation, open.lease_id, exact_micro(200'000));

    const Renewal renewal = f.pool.begin_renewal(kOrganisation, Money::micro(5));
    EXPECT_EQ(renewal.least, Money::micro(150'005));
    EXPECT_EQ(renewal.ask, Money::micro(1'150'000));
    // Acknowledged between question and answer: the server may or may not have counted it.
    f.pool.acknowledge(kOrganisation, open.lease_id, exact_micro(50'000));
    ASSERT_TRUE(f.pool.grant(lease(1, 2, Money::micro(1'150'000), 60s), renewal, kStart));

    EXPECT_EQ(shown(f.pool), "granted 1150000 held 100000 spent 50000 free 1000000\n");
    f.pool.release(open);
    EXPECT_EQ(shown(f.pool), "granted 1150000 held 0 spent 50000 free 1100000\n");
}

TEST(LeasePool, IgnoresAnEpochThatIsNotNewer) {
    PoolWithLease f;
    EXPECT_EQ(
        f.pool.grant(lease(1, 1, yuan(9)), f.pool.begin_renewal(kOrganisation, {}), kStart)
            .error()
            .code,
        ErrorCode::conflict
    );
    EXPECT_EQ(shown(f.pool), "granted 1000000 held 0 spent 0 free 1000000\n");
}

TEST(LeasePool, GrantsNothingOnALeaseThatShrankBelowWhatIsInUse) {
    PoolWithLease f;
    ASSERT_TRUE(f.pool.reserve(kOrganisation, Money::micro(500'000), kStart));
    ASSERT_TRUE(f.pool.grant(
        lease(1, 2, Money::micro(300'000)), f.pool.begin_renewal(kOrganisation, {}), kStart
    ));
    EXPECT_EQ(shown(f.pool), "granted 300000 held 500000 spent 0 free -200000\n");
    EXPECT_FALSE(f.pool.reserve(kOrganisation, Money::micro(1), kStart));
}

}  // namespace
}  // namespace penstock::routing
