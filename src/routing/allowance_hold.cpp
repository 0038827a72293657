// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <tuple>
#include <utility>

#include "base/check.h"
#include "routing/allowance_authority.h"
#include "routing/allowance_pool.h"

namespace penstock::routing {

std::string_view name_of(Level level) {
    switch (level) {
        case Level::organisation:
            return "organisation";
        case Level::project:
            return "project";
        case Level::key:
            return "key";
    }
    return "";
}

std::size_t AccountKeyHash::operator()(const AccountKey& key) const noexcept {
    // Ids are random in their low half; the rest tells accounts of one subject apart.
    constexpr std::uint64_t kMix = 0x9E3779B97F4A7C15ULL;
    std::uint64_t value = key.subject.low ^ (key.subject.high * kMix);
    const std::uint64_t rest = (std::uint64_t{key.model} << 16) ^
                               (static_cast<std::uint64_t>(key.measure) << 8) ^
                               static_cast<std::uint64_t>(key.period) ^
                               (static_cast<std::uint64_t>(key.period_start_us) * kMix);
    value ^= (rest + kMix) * kMix;
    return static_cast<std::size_t>(value ^ (value >> 29));
}

// ---- Hold ----

Hold::Hold(Hold&& other) noexcept
    : pool_(std::exchange(other.pool_, nullptr)),
      index_(other.index_),
      amount_(other.amount_),
      wallet_lease_(other.wallet_lease_),
      deadline_(other.deadline_) {}

Hold& Hold::operator=(Hold&& other) noexcept {
    if (this == &other) return *this;
    release();
    pool_ = std::exchange(other.pool_, nullptr);
    index_ = other.index_;
    amount_ = other.amount_;
    wallet_lease_ = other.wallet_lease_;
    deadline_ = other.deadline_;
    return *this;
}

Hold::~Hold() { release(); }

void Hold::release() {
    if (pool_ != nullptr) pool_->end(*this, nullptr);
}

void Hold::stop_running() {
    CHECK(pool_ != nullptr, "only a call that runs can stop");
    std::erase_if(pool_->holds_[index_].entries, [&](const AllowancePool::Entry& entry) {
        if (pool_->slots_[entry.slot].key.measure != Measure::concurrency) return false;
        pool_->end_entry(entry, nullptr);
        return true;
    });
}

void Hold::settle(const Actual& actual) {
    CHECK(pool_ != nullptr, "a hold ends once");
    pool_->end(*this, &actual);
}

std::vector<LeaseId> Hold::drawn() const {
    std::vector<LeaseId> leases;
    if (pool_ == nullptr) return leases;
    const auto& entries = pool_->holds_[index_].entries;
    leases.reserve(entries.size());
    for (const AllowancePool::Entry& entry : entries) {
        const AllowancePool::Slot& slot = pool_->slots_[entry.slot];
        if (is_consumed(slot.key.measure) && slot.key.measure != Measure::wallet)
            leases.push_back(slot.lease);
    }
    return leases;
}

// ---- shown ----

std::vector<LeaseUse> AllowancePool::lease_uses(Time now, std::size_t most, std::int64_t* left_out)
    const {
    std::vector<LeaseUse> uses;
    for (const auto& [key, index] : slots_by_key_) {
        if (slots_[index].granted.is_zero()) continue;
        const std::optional<AccountView> seen = view(key, now);
        uses.push_back(
            {.lease_id = slots_[index].lease,
             .held = seen->held,
             .used = seen->used,
             .free = std::max(Units(), seen->free)}
        );
    }
    const std::size_t count = std::min(most, uses.size());
    *left_out = static_cast<std::int64_t>(uses.size() - count);
    std::ranges::partial_sort(
        uses, uses.begin() + static_cast<std::ptrdiff_t>(count), {},
        [](const LeaseUse& use) { return std::tuple(use.held.is_zero(), use.lease_id); }
    );
    uses.resize(count);
    return uses;
}

std::size_t AllowancePool::holds_overdue(Time now) const {
    return static_cast<std::size_t>(std::ranges::count_if(holds_, [&](const HoldRow& row) {
        return row.open && row.deadline < now;
    }));
}

Money AllowancePool::held() const {
    __int128 sum = 0;
    for (const HoldRow& row : holds_)
        if (row.open) sum += row.money.micro();
    return Money::micro(static_cast<std::int64_t>(sum));
}

}  // namespace penstock::routing
