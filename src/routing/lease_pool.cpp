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

// The newest live lease with the most free; renewals may leave an older one beside it for a while.
const LeasePool::Slice* LeasePool::best(const Purse& purse, Time now) const {
    const Slice* found = nullptr;
    for (const Slice& slice : purse.slices)
        if (slice.live(now) && (found == nullptr || slice.free() > found->free())) found = &slice;
    return found;
}

Result<Hold> LeasePool::reserve(const OrganisationId& organisation_id, Money amount, Time now) {
    CHECK(!amount.is_negative(), "a call never costs less than nothing");
    const auto purse = purses_.find(organisation_id);
    const Slice* slice = purse == purses_.end() ? nullptr : best(purse->second, now);
    if (slice == nullptr)
        return fail(
            ErrorCode::unavailable, "no budget lease is live for " + to_string(organisation_id)
        );
    purse->second.last_used = now;
    if (slice->free() < exact(amount))
        return fail(
            ErrorCode::insufficient_funds,
            "the call may cost up to " + to_string(amount) + " yuan, more than the lease has free"
        );
    const Hold hold{next_hold_++, organisation_id, slice->id, amount};
    Slice& own = slice_of(organisation_id, slice->id);
    own.held = plus(own.held, exact(amount));
    holds_.emplace(hold.id, amount);
    return hold;
}

void LeasePool::settle(const Hold& hold, ExactMoney charge) {
    CHECK(
        charge.femto() >= 0 && charge <= exact(hold.amount), "the meter clips a call to its bound"
    );
    take_back(hold, charge);
}

void LeasePool::release(const Hold& hold) { take_back(hold, ExactMoney()); }

void LeasePool::take_back(const Hold& hold, ExactMoney charge) {
    CHECK(holds_.erase(hold.id) == 1, "a hold ends once");
    Slice& slice = slice_of(hold.organisation_id, hold.lease_id);
    slice.held = minus(slice.held, exact(hold.amount));
    slice.spent = plus(slice.spent, charge);
}

void LeasePool::acknowledge(
    const OrganisationId& organisation_id, const LeaseId& lease_id, ExactMoney charge
) {
    const auto purse = purses_.find(organisation_id);
    if (purse == purses_.end()) return;  // of an earlier process, or of a lease that is gone
    for (Slice& slice : purse->second.slices) {
        if (slice.id != lease_id) continue;
        // Charges that an earlier process settled were never part of `spent` here.
        slice.acknowledged = std::min(plus(slice.acknowledged, charge), slice.spent);
    }
}

Renewal LeasePool::begin_renewal(const OrganisationId& organisation_id, Money need) const {
    Renewal renewal{
        .organisation_id = organisation_id, .ask = fill_, .least = need, .acknowledged = {}
    };
    ExactMoney used;
    if (const auto purse = purses_.find(organisation_id); purse != purses_.end()) {
        for (const Slice& slice : purse->second.slices) {
            renewal.acknowledged.emplace(slice.id, slice.acknowledged);
            used = plus(used, plus(slice.held, minus(slice.spent, slice.acknowledged)));
        }
    }
    const Result<Money> in_use = ceil_money(used);
    CHECK(in_use.has_value(), "what is in use was granted, and grants fit");
    const auto sum = [](Money a, Money b) { return add(a, b).value_or(a); };
    renewal.least = sum(*in_use, need);
    renewal.ask = sum(*in_use, std::max(fill_, need));
    return renewal;
}

Result<void> LeasePool::grant(const BudgetLease& lease, const Renewal& renewal, Time now) {
    if (lease.organisation_id != renewal.organisation_id)
        return fail(ErrorCode::conflict, "the lease is for another organisation");
    if (purses_.size() >= kOrganisationsMax && !purses_.contains(lease.organisation_id))
        return fail(ErrorCode::resource_exhausted, "too many organisations have leases here");
    Purse& purse = purses_[lease.organisation_id];
    const auto known = std::ranges::find(purse.slices, lease.id, &Slice::id);
    if (known == purse.slices.end()) {
        std::erase_if(purse.slices, [&](const Slice& s) {
            return !s.live(now) && s.held == ExactMoney();
        });
        if (purse.slices.size() >= kLeasesPerOrganisationMax)
            return fail(ErrorCode::resource_exhausted, "too many leases for one organisation");
        purse.slices.push_back(
            {.id = lease.id,
             .epoch = lease.epoch,
             .expires_at = lease.expires_at,
             .granted = exact(lease.amount),
             .held = {},
             .spent = {},
             .acknowledged = {}}
        );
        purse.last_used = now;
        return {};
    }
    if (lease.epoch <= known->epoch)
        return fail(ErrorCode::conflict, "the lease's epoch is not newer than the one in use");
    // What the server had counted before it was asked is already taken off the new amount.
    const auto counted = renewal.acknowledged.find(lease.id);
    const ExactMoney off = counted == renewal.acknowledged.end() ? ExactMoney() : counted->second;
    known->spent = minus(known->spent, off);
    known->acknowledged = minus(known->acknowledged, off);
    known->epoch = lease.epoch;
    known->expires_at = lease.expires_at;
    known->granted = exact(lease.amount);
    return {};
}

bool LeasePool::wants_renewal(const OrganisationId& organisation_id, Time now) const {
    const auto purse = purses_.find(organisation_id);
    if (purse == purses_.end()) return false;
    const Slice* slice = best(purse->second, now);
    if (slice == nullptr) return true;
    if (slice->expires_at - now < kRenewBefore) return true;
    return slice->free().femto() * kRefillDivisor < slice->granted.femto();
}

std::vector<OrganisationId> LeasePool::sweep(Time now) {
    std::vector<OrganisationId> due;
    for (auto at = purses_.begin(); at != purses_.end();) {
        Purse& purse = at->second;
        std::erase_if(purse.slices, [&](const Slice& s) {
            return now >= s.expires_at && s.held == ExactMoney();
        });
        const bool holding =
            std::ranges::any_of(purse.slices, [](const Slice& s) { return s.held > ExactMoney(); });
        if ((now - purse.last_used < kKeepFor || holding) && wants_renewal(at->first, now))
            due.push_back(at->first);
        at = purse.slices.empty() ? purses_.erase(at) : std::next(at);
    }
    return due;
}

LeasePool::Slice& LeasePool::slice_of(
    const OrganisationId& organisation_id, const LeaseId& lease_id
) {
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
        out.push_back(
            {slice.id, slice.epoch, slice.expires_at, slice.granted, slice.held, slice.spent,
             slice.free()}
        );
    return out;
}

Money LeasePool::held() const {
    __int128 sum = 0;
    for (const auto& [id, amount] : holds_) sum += amount.micro();
    return Money::micro(static_cast<std::int64_t>(sum));
}

}  // namespace penstock::routing
