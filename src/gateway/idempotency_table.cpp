// SPDX-License-Identifier: Apache-2.0
#include "gateway/idempotency_table.h"

#include <algorithm>
#include <cstring>

namespace penstock::gateway {

using Kind = IdempotencyRecord::Kind;

// The digest is as good as random already.
std::size_t IdempotencyTable::Hash::operator()(const Sha256& digest) const noexcept {
    std::size_t hash = 0;
    std::memcpy(&hash, digest.data(), sizeof hash);
    return hash;
}

void IdempotencyTable::apply(const IdempotencyRecord& record, const Place& place) {
    if (record.kind == Kind::freed) return erase(record.token);
    const auto [found, fresh] = entries_.try_emplace(record.token);
    Entry& entry = found->second;
    const bool ran = !fresh && !entry.end;
    // A record that was carried over says what is known already, from its new place.
    const bool known = !fresh && entry.end && record.kind == Kind::ended && entry.at == record.at;
    entry = {
        .fingerprint = record.fingerprint,
        .call_id = record.call_id,
        .at = record.at,
        .charge = record.charge,
        .place = place,
        .owner = record.kind == Kind::begun ? owner_of(record.owner) : 0,
        .end = record.kind == Kind::begun ? std::nullopt : std::optional(record.end)
    };
    if (ran) --running_;
    if (!entry.end) ++running_;
    if (entry.end && !known) ended_.emplace_back(record.at, record.token);
    while (entries_.size() > entries_max_ && evict_one(std::nullopt)) {
    }
}

IdempotencyTable::Judgement IdempotencyTable::judge(
    const Sha256& token, const Sha256& fingerprint, Time now
) {
    forget_old(now);
    if (const Entry* entry = find(token, now)) {
        if (entry->fingerprint != fingerprint) return {Ruling::other_request, *entry};
        return {entry->end ? Ruling::ended : Ruling::runs, *entry};
    }
    if (entries_.size() >= entries_max_ && !evict_one(now)) return {Ruling::full, {}};
    return {};
}

const IdempotencyTable::Entry* IdempotencyTable::find(const Sha256& token, Time now) const {
    const auto found = entries_.find(token);
    if (found == entries_.end() || found->second.at + kKeptFor <= now) return nullptr;
    return &found->second;
}

std::vector<IdempotencyRecord> IdempotencyTable::carried_over(std::uint64_t segment, Time now)
    const {
    std::vector<IdempotencyRecord> out;
    for (const auto& [token, entry] : entries_) {
        if (entry.place.segment != segment || entry.at + kKeptFor <= now) continue;
        IdempotencyRecord record{
            .kind = entry.end ? Kind::ended : Kind::begun,
            .token = token,
            .fingerprint = entry.fingerprint,
            .call_id = entry.call_id,
            .at = entry.at,
            .owner = owners_[entry.owner],
            .charge = entry.charge
        };
        if (entry.end) record.end = *entry.end == KeptEnd::answered ? KeptEnd::evicted : *entry.end;
        out.push_back(record);
    }
    return out;
}

void IdempotencyTable::forget_segment(std::uint64_t segment) {
    std::vector<Sha256> gone;
    for (const auto& [token, entry] : entries_)
        if (entry.place.segment == segment) gone.push_back(token);
    for (const Sha256& token : gone) erase(token);
}

std::uint32_t IdempotencyTable::owner_of(std::string_view name) {
    const auto found = std::ranges::find(owners_, name);
    if (found != owners_.end()) return static_cast<std::uint32_t>(found - owners_.begin());
    owners_.emplace_back(name);
    return static_cast<std::uint32_t>(owners_.size() - 1);
}

void IdempotencyTable::erase(const Sha256& token) {
    const auto found = entries_.find(token);
    if (found == entries_.end()) return;
    if (!found->second.end) --running_;
    entries_.erase(found);
}

void IdempotencyTable::forget_old(Time now) {
    for (; !ended_.empty() && ended_.front().first + kKeptFor <= now; ended_.pop_front()) {
        const auto& [at, token] = ended_.front();
        const auto found = entries_.find(token);
        if (found != entries_.end() && found->second.end && found->second.at == at) erase(token);
    }
}

// The one that ended longest ago; with a time only where it has been kept for long enough.
bool IdempotencyTable::evict_one(std::optional<Time> now) {
    for (; !ended_.empty(); ended_.pop_front()) {
        const auto [at, token] = ended_.front();
        const auto found = entries_.find(token);
        if (found == entries_.end() || !found->second.end || found->second.at != at) continue;
        if (now && at + kKeptAtLeast > *now) return false;
        erase(token);
        ended_.pop_front();
        ++keys_evicted_;
        return true;
    }
    return false;
}

}  // namespace penstock::gateway
