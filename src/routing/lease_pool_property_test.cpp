// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "routing/lease_pool.h"

namespace penstock::routing {
namespace {

const Time kStart = Time(1'700'000'000s);
const OrganisationId kOrganisation(RawId{1, 1});
const LeaseId kLease(RawId{2, 2});

ExactMoney exact(Money m) { return ExactMoney(__int128{m.micro()} * ExactMoney::kPerMicro); }

// The server's side: a wallet from which one lease is filled. It counts charges when they are
// reported, and answers a renewal with what the lease may still spend.
struct Server {
    ExactMoney wallet;
    ExactMoney counted;
    std::int64_t epoch = 0;

    BudgetLease renew(Money ask, Time now) {
        const __int128 left = wallet.femto() - counted.femto();
        const auto micro = static_cast<std::int64_t>(left / ExactMoney::kPerMicro);
        return {
            .id = kLease,
            .organisation_id = kOrganisation,
            .replica = "g",
            .epoch = ++epoch,
            .amount = std::min(ask, Money::micro(micro)),
            .expires_at = now + 30s
        };
    }
};

struct Unreported {
    ExactMoney charge;
};

// Any order of holds, settlements, releases, reports and renewals, with renewals answered late: no
// charge is ever lost, the books of every lease balance, and the wallet is never overdrawn.
TEST(LeasePoolProperty, NeverSpendsMoreThanTheWallet) {
    EXPECT_TRUE(rc::check([] {
        LeasePool pool(Money::micro(*rc::gen::inRange<std::int64_t>(1, 5000)));
        Server server{
            .wallet = exact(Money::micro(*rc::gen::inRange<std::int64_t>(0, 20000))), .counted = {}
        };
        std::vector<Hold> holds;
        std::vector<Unreported> unreported;
        std::optional<std::pair<Renewal, BudgetLease>> late;
        ExactMoney charged;
        const auto steps =
            *rc::gen::container<std::vector<std::uint8_t>>(rc::gen::inRange<std::uint8_t>(0, 6));
        for (const std::uint8_t step : steps) {
            if (step == 0) {
                const Money amount = Money::micro(*rc::gen::inRange<std::int64_t>(0, 3000));
                if (auto hold = pool.reserve(kOrganisation, amount, kStart)) holds.push_back(*hold);
            } else if (step == 1 && !holds.empty()) {
                const Hold hold = holds.back();
                holds.pop_back();
                const ExactMoney charge(exact(hold.amount).femto() * *rc::gen::inRange(0, 8) / 7);
                pool.settle(hold, charge);
                charged = *add(charged, charge);
                unreported.push_back({charge});
            } else if (step == 2 && !holds.empty()) {
                pool.release(holds.back());
                holds.pop_back();
            } else if (step == 3 && !unreported.empty()) {
                server.counted = *add(server.counted, unreported.back().charge);
                pool.acknowledge(kOrganisation, kLease, unreported.back().charge);
                unreported.pop_back();
            } else if (step == 4 && !late) {
                const Renewal renewal = pool.begin_renewal(kOrganisation, Money());
                late.emplace(renewal, server.renew(renewal.ask, kStart));
            } else if (step == 5 && late) {
                RC_ASSERT(pool.grant(late->second, late->first, kStart).has_value());
                late.reset();
            }
            for (const LeaseView& view : pool.leases(kOrganisation))
                RC_ASSERT(
                    view.free.femto() + view.held.femto() + view.spent.femto() ==
                    view.granted.femto()
                );
            __int128 held = 0;
            for (const Hold& hold : holds) held += exact(hold.amount).femto();
            RC_ASSERT(exact(pool.held()).femto() == held);
            RC_ASSERT(charged.femto() + held <= server.wallet.femto());
        }
        RC_ASSERT(pool.holds_open() == holds.size());
    }));
}

}  // namespace
}  // namespace penstock::routing
