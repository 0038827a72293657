// SPDX-License-Identifier: Apache-2.0
#include "routing/lease_pool.h"

#include <gtest/gtest.h>

namespace penstock::routing {
namespace {

const Time kStart = Time(1'700'000'000s);
const OrganisationId kOrganisation(RawId{1, 1});

constexpr Money micro(std::int64_t value) { return Money::micro(value); }
constexpr ExactMoney exact_micro(std::int64_t value) { return ExactMoney(__int128{value} * ExactMoney::kPerMicro); }

std::string shown(const LeasePool& pool) {
    std::string out;
    for (const LeaseView& view : pool.leases(kOrganisation)) {
        const auto number = [](ExactMoney m) { return std::to_string(static_cast<std::int64_t>(m.femto() / ExactMoney::kPerMicro)); };
        out += "[" + std::to_string(view.id.raw().low) + " held " + number(view.held) + " spent " + number(view.spent) +
               " free " + number(view.free) + "]";
    }
    return out;
}

struct Pool : LeasePool {
    Pool() : LeasePool(micro(1000)) {}
    void grant(std::uint64_t id, std::int64_t amount, Time now = kStart, Duration lives = 30s) {
        const BudgetLease lease{.id = LeaseId(RawId{2, id}), .organisation_id = kOrganisation, .replica = "g",
                                .amount = micro(amount), .expires_at = now + lives};
        EXPECT_TRUE(LeasePool::grant(lease, now));
    }
    Result<Hold> hold(std::int64_t amount, Time now = kStart) { return reserve(kOrganisation, micro(amount), now); }
    std::uint64_t lease_of(const Hold& held) { return pin(held).raw().low; }
};

TEST(LeasePool, HoldsThenReplacesTheHoldByTheCharge) {
    Pool pool;
    pool.grant(1, 1000);
    const Hold hold = *pool.hold(400);
    EXPECT_EQ(shown(pool), "[1 held 400 spent 0 free 600]");
    pool.settle(hold, exact_micro(150));
    EXPECT_EQ(shown(pool), "[1 held 0 spent 150 free 850]");
}

TEST(LeasePool, RefusesWhatDoesNotFitWhole) {
    Pool pool;
    pool.grant(1, 1000);
    ASSERT_TRUE(pool.hold(600));
    EXPECT_EQ(pool.hold(401).error().code, ErrorCode::insufficient_funds);
    EXPECT_TRUE(pool.hold(400));
}

TEST(LeasePool, BeginsNoHoldOnALeaseThatIsAboutToExpire) {
    Pool pool;
    pool.grant(1, 1000);
    EXPECT_EQ(pool.hold(1, kStart + 29s).error().code, ErrorCode::unavailable);
}

TEST(LeasePool, TakesTheYoungestLeaseThatHasEnough) {
    Pool pool;
    pool.grant(1, 1000);
    pool.grant(2, 100, kStart + 5s);
    EXPECT_EQ(pool.lease_of(*pool.hold(80, kStart + 5s)), 2U);
    EXPECT_EQ(pool.lease_of(*pool.hold(80, kStart + 5s)), 1U);
}

TEST(LeasePool, MovesAHoldOnBeforeItsLeaseExpires) {
    Pool pool;
    pool.grant(1, 1000);
    const Hold moving = *pool.hold(300);
    const Hold pinned = *pool.hold(50);
    EXPECT_EQ(pool.lease_of(pinned), 1U);
    const Time later = kStart + 25s;
    EXPECT_EQ(pool.sweep(later), std::vector{kOrganisation});
    EXPECT_EQ(pool.ask(kOrganisation, micro(0), later), micro(1000));
    pool.grant(2, 1000, later);
    pool.sweep(later);
    EXPECT_EQ(shown(pool), "[1 held 50 spent 0 free 950][2 held 300 spent 0 free 700]");
    pool.settle(pinned, exact_micro(10));
    EXPECT_EQ(pool.lease_of(moving), 2U);
}

TEST(LeasePool, KeepsAHoldThatFindsNoRoomPastTheExpiryOfItsLease) {
    Pool pool;
    pool.grant(1, 1000);
    const Hold hold = *pool.hold(900);
    EXPECT_EQ(pool.sweep(kStart + 1h), std::vector{kOrganisation});
    pool.settle(hold, exact_micro(1));
    EXPECT_TRUE(pool.sweep(kStart + 1h).empty());
    EXPECT_EQ(shown(pool), "");
}

TEST(LeasePool, WantsARenewalBelowAQuarterAndBeforeTheExpiry) {
    Pool pool;
    pool.grant(1, 1000);
    EXPECT_FALSE(pool.wants_renewal(kOrganisation, kStart));
    EXPECT_TRUE(pool.wants_renewal(kOrganisation, kStart + 21s));
    pool.settle(*pool.hold(751), exact_micro(751));
    EXPECT_TRUE(pool.wants_renewal(kOrganisation, kStart));
}

TEST(LeasePool, AsksForAFewTimesWhatIsInUse) {
    Pool pool;
    EXPECT_EQ(pool.ask(kOrganisation, micro(100), kStart), micro(400));
    EXPECT_EQ(pool.ask(kOrganisation, micro(400), kStart), micro(1000));   // the fill
    EXPECT_EQ(pool.ask(kOrganisation, micro(3000), kStart), micro(3000));  // never less than what waits
    pool.grant(1, 400);
    pool.settle(*pool.hold(100), exact_micro(50));
    EXPECT_EQ(pool.ask(kOrganisation, micro(100), kStart), micro(600));
}

TEST(LeasePool, ForgetsAnIdleOrganisation) {
    Pool pool;
    pool.grant(1, 1000);
    EXPECT_EQ(pool.sweep(kStart + 25s), std::vector{kOrganisation});
    EXPECT_TRUE(pool.sweep(kStart + 31s).empty());
    EXPECT_EQ(shown(pool), "");
}

}  // namespace
}  // namespace penstock::routing
