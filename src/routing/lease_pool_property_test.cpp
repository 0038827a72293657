// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <map>

#include "routing/lease_pool.h"

namespace penstock::routing {
namespace {

const OrganisationId kOrganisation(RawId{1, 1});

ExactMoney exact(Money m) { return ExactMoney(__int128{m.micro()} * ExactMoney::kPerMicro); }

// The naive model: what was granted, and what the records say was charged, by lease.
struct Books {
    Time now = Time(1'700'000'000s);
    LeasePool pool{Money::micro(*rc::gen::inRange<std::int64_t>(1, 5000))};
    std::map<LeaseId, Money> granted;
    std::map<LeaseId, ExactMoney> charged;
    std::vector<Hold> holds;

    void grant() {
        const Money ask = pool.ask(kOrganisation, Money::micro(*rc::gen::inRange<std::int64_t>(0, 3000)), now);
        const Money amount = Money::micro(*rc::gen::inRange<std::int64_t>(0, ask.micro() + 1));  // servers give less
        const LeaseId id(RawId{2, granted.size() + 1});
        granted[id] = amount;
        RC_ASSERT(pool.grant({.id = id, .organisation_id = kOrganisation, .replica = "g", .amount = amount, .expires_at = now + 30s}, now).has_value());
    }
    void reserve() {
        const Money amount = Money::micro(*rc::gen::inRange<std::int64_t>(0, 3000));
        if (auto hold = pool.reserve(kOrganisation, amount, now)) holds.push_back(*hold);
    }
    void end(bool charge) {
        if (holds.empty()) return;
        const auto at = *rc::gen::inRange<std::size_t>(0, holds.size());
        const Hold hold = holds[at];
        holds.erase(holds.begin() + static_cast<std::ptrdiff_t>(at));
        if (!charge) return pool.release(hold);
        const LeaseId lease = pool.pin(hold);
        if (*rc::gen::inRange(0, 2) == 1) pool.sweep(now);  // between record and durability
        const ExactMoney amount(exact(hold.amount).femto() * *rc::gen::inRange(0, 8) / 7);
        pool.settle(hold, amount);
        charged[lease] = *add(charged[lease], amount);
    }
    void check() const {
        __int128 held = 0;
        for (const LeaseView& view : pool.leases(kOrganisation)) {
            RC_ASSERT(view.free.femto() + view.held.femto() + view.spent.femto() == view.granted.femto());
            RC_ASSERT(view.free.femto() >= 0);
            const auto counted = charged.find(view.id);
            RC_ASSERT(view.spent == (counted == charged.end() ? ExactMoney() : counted->second));
            held += view.held.femto();
        }
        __int128 expected = 0;
        for (const Hold& hold : holds) expected += exact(hold.amount).femto();
        RC_ASSERT(held == expected);
        for (const auto& [id, amount] : charged) RC_ASSERT(amount <= exact(granted.at(id)));
        RC_ASSERT(pool.holds_open() == holds.size());
    }
};

// Any order of grants, holds, ends, sweeps and passing time: the books of every lease balance, and what
// the records charge to a lease never passes what it was granted.
TEST(LeasePoolProperty, NeverChargesALeaseMoreThanItWasGranted) {
    EXPECT_TRUE(rc::check([] {
        Books books;
        const auto steps = *rc::gen::container<std::vector<std::uint8_t>>(rc::gen::inRange<std::uint8_t>(0, 8));
        for (const std::uint8_t step : steps) {
            if (step <= 1) books.reserve();
            else if (step == 2) books.grant();
            else if (step == 3) books.end(true);
            else if (step == 4) books.end(false);
            else if (step == 5) books.pool.sweep(books.now);
            else if (step == 6) books.now += 7s;
            else books.end(true);
            books.check();
        }
    }));
}

}  // namespace
}  // namespace penstock::routing
