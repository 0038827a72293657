// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/check.h"
#include "routing/allowance_authority.h"
#include "routing/allowance_pool.h"
#include "routing/kept_lease.h"

// What outlives a process while the server is away: leases that its successor goes on with.
namespace penstock::routing {
namespace {

// The level whose id it is, and the id; nothing for other texts.
std::optional<std::pair<Level, RawId>> subject_of(const std::string& text) {
    if (const auto id = OrganisationId::parse(text)) return {{Level::organisation, id->raw()}};
    if (const auto id = ProjectId::parse(text)) return {{Level::project, id->raw()}};
    if (const auto id = KeyId::parse(text)) return {{Level::key, id->raw()}};
    return std::nullopt;
}

}  // namespace

void Hold::note_used(const Actual& actual) {
    CHECK(pool_ != nullptr, "only an open hold can be used");
    pool_->holds_[index_].noted = actual;
}

void Hold::leave_unrecorded() {
    CHECK(pool_ != nullptr, "only an open hold has a call");
    pool_->holds_[index_].unrecorded = true;
}

// Of the open holds: what no record will tell of them.
void AllowancePool::add_unrecorded(std::vector<Units>& by_slot) const {
    for (const HoldRow& row : holds_) {
        if (!row.open || (!row.unrecorded && !row.noted)) continue;
        for (const Entry& entry : row.entries) {
            const Slot& slot = slots_[entry.slot];
            if (!is_consumed(slot.key.measure) || entry.lease_number != slot.lease_number) continue;
            by_slot[entry.slot] +=
                row.unrecorded ? entry.units : used_of(slot.key.measure, *row.noted);
        }
    }
}

std::vector<KeptLease> AllowancePool::kept(const LeaseHolder& self) const {
    std::vector<Units> unrecorded(slots_.size());
    add_unrecorded(unrecorded);
    std::vector<KeptLease> out;
    for (const auto& [key, index] : slots_by_key_) {
        const Slot& slot = slots_[index];
        if (slot.granted.is_zero()) continue;
        KeptLease kept{.account = account_of(key), .lease_id = slot.lease};
        kept.holder = slot.foreign == 0 ? self : holders_[slot.foreign - 1];
        kept.granted = slot.granted;
        kept.returned = slot.returned;
        if (is_consumed(key.measure)) kept.used = slot.used + unrecorded[index];
        kept.ceded = slot.ceded;
        kept.expires_at = slot.expires_at;
        kept.limit = slot.limit;
        kept.remaining = slot.remaining;
        out.push_back(std::move(kept));
    }
    return out;
}

bool AllowancePool::adopt(const KeptLease& kept, bool own, Time now) {
    const auto subject = subject_of(kept.account.subject);
    const std::optional<std::uint32_t> model =
        kept.account.model.empty() ? 0 : model_number(kept.account.model);
    if (!subject || !model || kept.rest().is_negative()) return false;
    if (!own && (kept.rest().is_zero() || now >= kept.expires_at)) return false;
    AccountKey key;
    key.subject = subject->second;
    key.level = subject->first;
    key.model = *model;
    key.measure = kept.account.measure;
    key.period = kept.account.period;
    key.period_start_us = kept.account.period_start.time_since_epoch().count();
    const std::uint32_t index = find_or_make({key, Units(), kept.limit}, now);
    if (index == kNoSlot) return false;
    Slot& slot = slots_[index];
    if (slot.lease == kept.lease_id) {
        // Another part of the same lease: it was ceded here, or from here.
        slot.ceded -= kept.rest();
        // What that process has used of it in this minute is not known.
        if (is_per_minute(key.measure)) slot.used += kept.rest();
        return true;
    }
    if (!slot.granted.is_zero()) return false;
    slots_by_lease_.erase(slot.lease);
    slot.lease = kept.lease_id;
    slots_by_lease_.emplace(slot.lease, index);
    ++slot.lease_number;
    slot.asked = false;  // about the lease that was not granted
    slot.foreign = own ? 0 : number_of(kept.holder);
    slot.granted = kept.granted;
    slot.returned = kept.returned;
    slot.ceded = own ? kept.ceded : kept.granted - kept.returned - kept.rest();
    slot.used = own ? kept.used : Units();
    // What of a minute the process before has used is not known: it begins with the next one.
    if (is_per_minute(key.measure))
        slot.used = slot.before = slot.granted - slot.returned - slot.ceded;
    slot.expires_at = kept.expires_at;
    slot.limit = kept.limit;
    slot.remaining = kept.remaining;
    slot.answers = 1;
    slot.unsure = own;
    return true;
}

std::uint32_t AllowancePool::number_of(const LeaseHolder& holder) {
    const auto known = std::ranges::find(holders_, holder);
    if (known == holders_.end()) {
        holders_.push_back(holder);
        return static_cast<std::uint32_t>(holders_.size());
    }
    return static_cast<std::uint32_t>(known - holders_.begin()) + 1;
}

std::vector<KeptLease> AllowancePool::cede(const LeaseHolder& self, Time now) {
    std::vector<KeptLease> out = kept(self);
    std::erase_if(out, [&](KeptLease& kept) {
        Slot& slot = slots_[slots_by_lease_.at(kept.lease_id)];
        const Units step = step_of(slot.key.measure);
        const Units share = std::max(Units(), free_now(slot, now) / 2).floor_to(step);
        slot.ceded += share;
        kept.ceded = Units();
        kept.used = kept.granted - kept.returned - share;  // all but the share
        return share.is_zero();
    });
    return out;
}

void AllowancePool::drop_foreign() {
    if (holders_.empty()) return;
    holders_.clear();
    for (std::size_t index = 0; index < slots_.size(); ++index) {
        Slot& slot = slots_[index];
        if (slot.foreign == 0) continue;
        slot.foreign_number = slot.lease_number;
        begin_lease(static_cast<std::uint32_t>(index));
        if (slot.calls_waiting > 0) enqueue(static_cast<std::uint32_t>(index));
    }
}

void AllowancePool::forget_leases() {
    for (std::size_t index = 0; index < slots_.size(); ++index) {
        if (slots_[index].lease.is_nil()) continue;
        slots_[index].asked = false;
        begin_lease(static_cast<std::uint32_t>(index));
    }
}

bool AllowancePool::has_foreign() const {
    if (std::ranges::any_of(slots_, [](const Slot& slot) { return slot.foreign != 0; }))
        return true;
    return std::ranges::any_of(holds_, [&](const HoldRow& row) {
        return row.open && std::ranges::any_of(row.entries, [&](const Entry& entry) {
                   const Slot& slot = slots_[entry.slot];
                   return slot.foreign_number != 0 && entry.lease_number <= slot.foreign_number;
               });
    });
}

}  // namespace penstock::routing
