// SPDX-License-Identifier: Apache-2.0
#include "routing/lease_pool.h"

#include <algorithm>

#include "base/check.h"

namespace penstock::routing {
namespace {

ExactMoney exact(Money money) {
    return ExactMoney(static_cast<__int128>(money.micro()) * ExactMoney::kPerMicro);
}
ExactMoney plus(ExactMoney a, ExactMoney b) { return ExactMoney(a.femto() + b.femto()); }
ExactMoney minus(ExactMoney a, ExactMoney b) { return ExactMoney(a.femto() - b.femto()); }

}  // namespace

LeasePool::Slice* LeasePool::find_room(Purse& purse, Money amount, Time now) {
    const auto found = std::find_if(purse.slices.rbegin(), purse.slices.rend(), [&](const Slice& slice) {
        return slice.live(now) && slice.free() >= exact(amount);
    });
    return found == purse.slices.rend() ? nullptr : &*found;
}

Result<Hold> LeasePool::reserve(const OrganisationId& organisation_id, Money amount, Time now) {
    CHECK(!amount.is_negative(), "a call never costs less than nothing");
    const auto purse = purses_.find(organisation_id);
    const bool any_live = purse != purses_.end() &&
                          std::ranges::any_of(purse->second.slices, [&](const Slice& s) { return s.live(now); });
    if (!any_live) return fail(ErrorCode::unavailable, "no budget lease is live for " + to_string(organisation_id));
    purse->second.last_used = now;
    Slice* slice = find_room(purse->second, amount, now);
    if (slice == nullptr)
        return fail(
            ErrorCode::insufficient_funds,
            "the call may cost up to " + to_string(amount) + " yuan, more than the lease has free"
        );
    const Hold hold{next_hold_++, organisation_id, amount};
    slice->held = plus(slice->held, exact(amount));
    holds_.emplace(hold.id, HoldState{organisation_id, slice->id, amount});
    return hold;
}

LeaseId LeasePool::lease_of(const Hold& hold) const {
    const auto state = holds_.find(hold.id);
    CHECK(state != holds_.end(), "only a hold that has not ended has a lease");
    return state->second.lease_id;
}

LeaseId LeasePool::pin(const Hold& hold) {
    const auto state = holds_.find(hold.id);
    CHECK(state != holds_.end(), "a hold is pinned before it ends");
    state->second.pinned = true;
    return state->second.lease_id;
}

void LeasePool::settle(const Hold& hold, ExactMoney charge) {
    CHECK(charge.femto() >= 0 && charge <= exact(hold.amount), "the meter clips a call to its bound");
    take_back(hold, charge);
}

void LeasePool::release(const Hold& hold) { take_back(hold, ExactMoney()); }

void LeasePool::take_back(const Hold& hold, ExactMoney charge) {
    const auto state = holds_.find(hold.id);
    CHECK(state != holds_.end(), "a hold ends once");
    Slice& slice = slice_of(hold.organisation_id, state->second.lease_id);
    slice.held = minus(slice.held, exact(hold.amount));
    slice.spent = plus(slice.spent, charge);
    holds_.erase(state);
}

Money LeasePool::ask(const OrganisationId& organisation_id, Money waiting, Time now) const {
    ExactMoney in_use = exact(waiting);
    ExactMoney moving = exact(waiting);  // must fit: what waits, and holds whose lease ends soon
    if (const auto purse = purses_.find(organisation_id); purse != purses_.end()) {
        for (const Slice& slice : purse->second.slices) {
            in_use = plus(in_use, plus(slice.held, slice.spent));
            if (!slice.lasting(now)) moving = plus(moving, slice.held);
        }
    }
    const ExactMoney ahead = std::min(ExactMoney(in_use.femto() * kGrowth), exact(fill_));
    const Result<Money> amount = ceil_money(std::max(moving, ahead));
    CHECK(amount.has_value(), "what is in use was granted, and grants fit");
    return std::max(*amount, Money::micro(1));
}

Result<void> LeasePool::grant(const BudgetLease& lease, Time now) {
    if (purses_.size() >= kOrganisationsMax && !purses_.contains(lease.organisation_id))
        return fail(ErrorCode::resource_exhausted, "too many organisations have leases here");
    Purse& purse = purses_[lease.organisation_id];
    std::erase_if(purse.slices, [&](const Slice& slice) { return slice.over(now); });
    if (std::ranges::find(purse.slices, lease.id, &Slice::id) != purse.slices.end())
        return fail(ErrorCode::conflict, "the server granted one lease twice");
    if (purse.slices.size() >= kLeasesPerOrganisationMax)
        return fail(ErrorCode::resource_exhausted, "too many leases for one organisation");
    const auto behind = std::ranges::upper_bound(purse.slices, lease.expires_at, {}, &Slice::expires_at);
    purse.slices.insert(behind, {lease.id, lease.expires_at, exact(lease.amount), {}, {}});
    purse.last_used = std::max(purse.last_used, now);
    return {};
}

bool LeasePool::wants_renewal(const OrganisationId& organisation_id, Time now) const {
    const auto purse = purses_.find(organisation_id);
    if (purse == purses_.end()) return false;
    ExactMoney free, granted;
    for (const Slice& slice : purse->second.slices) {
        if (!slice.lasting(now)) continue;
        free = plus(free, slice.free());
        granted = plus(granted, slice.granted);
    }
    return free.femto() * kRefillDivisor < granted.femto() || granted == ExactMoney();
}

std::vector<OrganisationId> LeasePool::sweep(Time now) {
    move_holds(now);
    std::vector<OrganisationId> due;
    for (auto at = purses_.begin(); at != purses_.end();) {
        Purse& purse = at->second;
        std::erase_if(purse.slices, [&](const Slice& slice) { return slice.over(now); });
        const bool holding = std::ranges::any_of(purse.slices, [](const Slice& s) { return s.held > ExactMoney(); });
        const bool in_use = now - purse.last_used < kKeepFor || holding;
        if (in_use && wants_renewal(at->first, now)) due.push_back(at->first);
        at = purse.slices.empty() && !in_use ? purses_.erase(at) : std::next(at);
    }
    return due;
}

// A hold that finds no room stays: its call is settled on the old lease, within the server's grace.
void LeasePool::move_holds(Time now) {
    for (auto& [id, hold] : holds_) {
        if (hold.pinned) continue;
        Slice& from = slice_of(hold.organisation_id, hold.lease_id);
        if (from.lasting(now)) continue;
        Slice* to = find_room(purses_.at(hold.organisation_id), hold.amount, now);
        if (to == nullptr || !to->lasting(now)) continue;
        from.held = minus(from.held, exact(hold.amount));
        to->held = plus(to->held, exact(hold.amount));
        hold.lease_id = to->id;
    }
}

LeasePool::Slice& LeasePool::slice_of(const OrganisationId& organisation_id, const LeaseId& lease_id) {
    const auto purse = purses_.find(organisation_id);
    CHECK(purse != purses_.end(), "a lease with a hold is kept");
    const auto slice = std::ranges::find(purse->second.slices, lease_id, &Slice::id);
    CHECK(slice != purse->second.slices.end(), "a lease with a hold is kept");
    return *slice;
}

std::vector<LeaseView> LeasePool::leases(const OrganisationId& organisation_id) const {
    std::vector<LeaseView> out;
    const auto purse = purses_.find(organisation_id);
    if (purse == purses_.end()) return out;
    for (const Slice& slice : purse->second.slices)
        out.push_back({slice.id, slice.expires_at, slice.granted, slice.held, slice.spent, slice.free()});
    return out;
}

Money LeasePool::held() const {
    __int128 sum = 0;
    for (const auto& [id, hold] : holds_) sum += hold.amount.micro();
    return Money::micro(static_cast<std::int64_t>(sum));
}

}  // namespace penstock::routing
