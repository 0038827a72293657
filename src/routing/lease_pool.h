// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/money.h"
#include "base/result.h"
#include "base/time.h"
#include "model/endpoint.h"

namespace penstock::routing {

// A part of a lease that one call may spend. Made by reserve(); ends by exactly one settle() or
// release() with the same pool.
struct Hold {
    std::uint64_t id = 0;
    OrganisationId organisation_id;
    LeaseId lease_id;
    Money amount;
};

// What renewal an organisation's lease needs; handed back with the server's answer, so that charges
// which the server had counted before it answered are not counted twice.
struct Renewal {
    OrganisationId organisation_id;
    Money ask;    // what the lease should be filled up to: `used` and room for calls to come
    Money least;  // what the waiting call needs at the least, `used` included
    std::unordered_map<LeaseId, ExactMoney> acknowledged;
};

// One lease as the pool sees it; free + held + spent = granted, exactly. `free` is below zero only
// after the server granted less than was in use.
struct LeaseView {
    LeaseId id;
    std::int64_t epoch = 0;
    Time expires_at;
    ExactMoney granted, held, spent, free;
    bool operator==(const LeaseView&) const = default;
};

// The budget that a gateway replica may spend without asking: slices of wallets, granted by the
// server for a short time. Pure; one owner. A call's worst case is held before it is dispatched and
// replaced by its charge after, so the sum of charges never passes what was granted. A hold that
// outlives its lease stays counted; no new one begins on a lease that is about to expire.
class LeasePool {
  public:
    static constexpr std::size_t kOrganisationsMax = 100'000;
    static constexpr std::size_t kLeasesPerOrganisationMax = 16;
    // Refill when less than 1/4 of the last grant is free.
    static constexpr std::int64_t kRefillDivisor = 4;
    // Clocks of gateway and server may differ by this much.
    static constexpr Duration kExpiryMargin = 1s;
    // A lease in use is renewed this long before it expires; a settlement after it may be refused.
    static constexpr Duration kRenewBefore = 10s;
    // A lease without holds is renewed for this long after its last use.
    static constexpr Duration kKeepFor = 30s;

    // `fill`: what a renewal asks for beyond what is in use.
    explicit LeasePool(Money fill) : fill_(fill) {}

    // All of `amount` from one lease, or insufficient_funds (a live lease exists and is too small)
    // or unavailable (no live lease).
    Result<Hold> reserve(const OrganisationId& organisation_id, Money amount, Time now);
    // The call's charge, at most the hold (CHECKed); the rest is free again.
    void settle(const Hold& hold, ExactMoney charge);
    // Nothing was charged.
    void release(const Hold& hold);
    // The server has counted a settled call's charge.
    void acknowledge(
        const OrganisationId& organisation_id, const LeaseId& lease_id, ExactMoney charge
    );

    // Before asking the server; `need` is the amount of a call that waits, or zero.
    Renewal begin_renewal(const OrganisationId& organisation_id, Money need) const;
    // The server's answer. An epoch that is not newer than the known one changes nothing: conflict.
    Result<void> grant(const BudgetLease& lease, const Renewal& renewal, Time now);
    // Less than a quarter free, or about to expire while in use.
    bool wants_renewal(const OrganisationId& organisation_id, Time now) const;
    // Organisations whose lease carries holds or was used lately, and that want a renewal. Leases
    // that are expired and carry nothing are forgotten.
    std::vector<OrganisationId> sweep(Time now);

    std::vector<LeaseView> leases(const OrganisationId& organisation_id) const;
    std::size_t holds_open() const { return holds_.size(); }
    Money held() const;  // over all leases

  private:
    struct Slice {
        LeaseId id;
        std::int64_t epoch = 0;
        Time expires_at;
        ExactMoney granted, held, spent, acknowledged;
        ExactMoney free() const {
            return ExactMoney(granted.femto() - held.femto() - spent.femto());
        }
        bool live(Time now) const { return now + kExpiryMargin < expires_at; }
    };
    struct Purse {
        std::vector<Slice> slices;
        Time last_used;
    };

    Slice& slice_of(const OrganisationId& organisation_id, const LeaseId& lease_id);
    const Slice* best(const Purse& purse, Time now) const;
    void take_back(const Hold& hold, ExactMoney charge);

    Money fill_;
    std::uint64_t next_hold_ = 1;
    std::unordered_map<OrganisationId, Purse> purses_;
    std::unordered_map<std::uint64_t, Money> holds_;
};

}  // namespace penstock::routing
