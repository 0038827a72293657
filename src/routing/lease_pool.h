// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "base/money.h"
#include "base/result.h"
#include "base/time.h"
#include "model/endpoint.h"

namespace penstock::routing {

// Money reserved for one call. Made by reserve(); ends by exactly one settle() or release().
struct Hold {
    std::uint64_t id = 0;
    OrganisationId organisation_id;
    Money amount;
};

// One lease as the pool sees it; free + held + spent = granted, exactly.
struct LeaseView {
    LeaseId id;
    Time expires_at;
    ExactMoney granted, held, spent, free;
    bool operator==(const LeaseView&) const = default;
};

// The budget that a gateway replica may spend without asking: leases, slices of wallets, each granted by
// the server for a short time. Pure; one owner. A call's worst case is held before it is dispatched and
// replaced by its charge after, so that the charges on a lease never pass what was granted. No new hold
// begins on a lease that is about to expire, and holds of long calls move on to younger leases.
class LeasePool {
  public:
    static constexpr std::size_t kOrganisationsMax = 100'000;
    static constexpr std::size_t kLeasesPerOrganisationMax = 256;
    // Refill when less than a quarter of what was granted is free.
    static constexpr std::int64_t kRefillDivisor = 4;
    // A new lease covers this many times what is in use: small users bind little of their wallet.
    static constexpr std::int64_t kGrowth = 4;
    // Clocks of gateway and server may differ by this much.
    static constexpr Duration kExpiryMargin = 1s;
    // A lease in use is followed by another one, and its holds move on, this long before it expires.
    static constexpr Duration kRenewBefore = 10s;
    // A lease without holds is followed by another one for this long after its last use.
    static constexpr Duration kKeepFor = 30s;

    // `fill`: the most that is asked for ahead of need.
    explicit LeasePool(Money fill) : fill_(fill) {}

    // All of `amount` from one lease, or insufficient_funds (a live lease exists, none has enough) or
    // unavailable (no live lease).
    Result<Hold> reserve(const OrganisationId& organisation_id, Money amount, Time now);
    LeaseId lease_of(const Hold& hold) const;
    // The lease that the call's record names. The hold stays with it from now on.
    LeaseId pin(const Hold& hold);
    // The call's charge, at most the hold (CHECKed); the rest is free again.
    void settle(const Hold& hold, ExactMoney charge);
    // Nothing was charged.
    void release(const Hold& hold);

    // How much to ask the server for when calls for `waiting` in all wait for a lease.
    Money ask(const OrganisationId& organisation_id, Money waiting, Time now) const;
    // The server's answer. A lease that is known already: conflict.
    Result<void> grant(const BudgetLease& lease, Time now);
    // Too little is free, or what is live expires soon.
    bool wants_renewal(const OrganisationId& organisation_id, Time now) const;
    // Moves holds to younger leases, forgets leases that are over, and names the organisations in use
    // that want a renewal.
    std::vector<OrganisationId> sweep(Time now);

    std::vector<LeaseView> leases(const OrganisationId& organisation_id) const;
    std::size_t holds_open() const { return holds_.size(); }
    Money held() const;  // over all leases

  private:
    struct Slice {
        LeaseId id;
        Time expires_at;
        ExactMoney granted, held, spent;
        ExactMoney free() const { return ExactMoney(granted.femto() - held.femto() - spent.femto()); }
        bool live(Time now) const { return now + kExpiryMargin < expires_at; }
        bool lasting(Time now) const { return now + kRenewBefore < expires_at; }
        bool over(Time now) const { return held == ExactMoney() && (now >= expires_at || free() <= ExactMoney()); }
    };
    struct Purse {
        std::vector<Slice> slices;  // oldest first
        Time last_used;
    };
    struct HoldState {
        OrganisationId organisation_id;
        LeaseId lease_id;
        Money amount;
        bool pinned = false;
    };

    // The youngest live lease with enough.
    Slice* find_room(Purse& purse, Money amount, Time now);
    Slice& slice_of(const OrganisationId& organisation_id, const LeaseId& lease_id);
    void take_back(const Hold& hold, ExactMoney charge);
    void move_holds(Time now);

    Money fill_;
    std::uint64_t next_hold_ = 1;
    std::unordered_map<OrganisationId, Purse> purses_;
    std::unordered_map<std::uint64_t, HoldState> holds_;
};

}  // namespace penstock::routing
