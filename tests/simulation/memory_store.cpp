// SPDX-License-Identifier: Apache-2.0
#include "memory_store.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <ranges>

namespace penstock::simulation {

void Disk::apply(const storage::Batch& batch) {
    for (const storage::Write& write : batch.writes) put(write);
}

void Disk::put(const storage::Write& write) {
    struct Apply {
        Disk& disk;
        void operator()(const storage::PutEntity& row) const {
            disk.entities_[{row.kind, row.id}] = row;
        }
        void operator()(const storage::DeleteEntity& row) const {
            disk.entities_.erase({row.kind, row.id});
        }
        void operator()(const storage::AppendEvent& row) const {
            EXPECT_TRUE(disk.events_.emplace(row.seq, row).second)
                << "event " << row.seq << " twice";
        }
        void operator()(const storage::PutAccount& row) const {
            disk.accounts_[row.account.id()] = row.account;
        }
        void operator()(const storage::AppendTransfer& row) const {
            EXPECT_EQ(row.transfer.seq, disk.transfers_.size() + 1)
                << "a gap or a repetition in the journal";
            disk.transfers_.push_back(row.transfer);
        }
        void operator()(const storage::PutHold& row) const {
            disk.holds_[row.hold.pending_id] = row.hold;
        }
        void operator()(const storage::PutAccumulator& row) const {
            disk.accumulators_[{row.row.contract, row.row.party}] = row.row;
        }
        void operator()(const storage::BurnId& row) const { disk.burnt_.push_back(row.burnt); }
        void operator()(const storage::PutIdempotency&) const {}
        void operator()(const storage::DeleteIdempotency&) const {}
        void operator()(const storage::AppendUsage& row) const {
            EXPECT_TRUE(disk.usage_.emplace(row.id, row).second) << "usage " << row.id << " twice";
        }
    };
    std::visit(Apply{*this}, write);
}

Result<void> Disk::load(storage::Visitor& visitor, storage::LoadScope scope) const {
    for (const auto& [key, row] : entities_) TRY(visitor.entity(row));
    for (const auto& [id, row] : accounts_) TRY(visitor.account(row));
    for (const ledger::Transfer& row : transfers_) TRY(visitor.transfer(row));
    for (const auto& [id, row] : holds_) TRY(visitor.hold(row));
    for (const auto& [key, row] : accumulators_) TRY(visitor.accumulator(row));
    for (const ledger::BurntId& row : burnt_) TRY(visitor.burnt(row));
    if (scope.usage)
        for (const auto& [id, row] : usage_) TRY(visitor.usage(row));
    if (scope.events)
        for (const auto& [seq, row] : events_) TRY(visitor.event(row));
    return {};
}

Result<void> MemoryStore::load(storage::Visitor& visitor, storage::LoadScope scope) {
    return disk_.load(visitor, scope);
}

Result<void> MemoryStore::commit(const storage::Batch& batch) {
    if (unplugged_) return fail(ErrorCode::unavailable, "the plug is pulled");
    disk_.apply(batch);
    return {};
}

namespace {

// The rows of a filter, in its order, and whether there are more than its limit.
template <class Row, class Range, class Accept>
storage::Page<Row> page_of(const Range& rows, std::size_t limit, Accept accept) {
    storage::Page<Row> page;
    for (const auto& [id, row] : rows) {
        if (!accept(row)) continue;
        page.more = page.rows.size() == limit;
        if (page.more) return page;
        page.rows.push_back(row);
    }
    return page;
}

bool takes(const storage::EventFilter& filter, const storage::AppendEvent& row) {
    return row.seq > filter.after_seq &&
           (filter.subject.empty() || row.subject == filter.subject) &&
           (filter.tenant.empty() || row.tenant == filter.tenant);
}

bool takes(const storage::UsageFilter& filter, const storage::AppendUsage& row) {
    return (filter.before_id.empty() || row.id < filter.before_id) &&
           (filter.tenant.empty() || row.tenant == filter.tenant) &&
           (filter.provider.empty() || row.provider == filter.provider);
}

}  // namespace

Result<storage::Page<storage::AppendEvent>> MemoryStore::events(const storage::EventFilter& filter
) {
    return page_of<storage::AppendEvent>(
        disk_.events(), filter.limit,
        [&](const storage::AppendEvent& row) { return takes(filter, row); }
    );
}

Result<std::int64_t> MemoryStore::count_events(const storage::EventFilter& filter) {
    return std::ranges::count_if(disk_.events(), [&](const auto& each) {
        return takes(filter, each.second);
    });
}

Result<std::int64_t> MemoryStore::last_event_seq() {
    return disk_.events().empty() ? 0 : disk_.events().rbegin()->first;
}

Result<storage::Page<storage::AppendUsage>> MemoryStore::usage(const storage::UsageFilter& filter) {
    return page_of<storage::AppendUsage>(
        disk_.usage() | std::views::reverse, filter.limit,
        [&](const storage::AppendUsage& row) { return takes(filter, row); }
    );
}

Result<std::int64_t> MemoryStore::count_usage(const storage::UsageFilter& filter) {
    return std::ranges::count_if(disk_.usage(), [&](const auto& each) {
        return takes(filter, each.second);
    });
}

Result<std::set<std::string>> MemoryStore::known_usage(const std::vector<std::string>& ids) {
    std::set<std::string> known;
    for (const std::string& id : ids)
        if (disk_.has_usage(id)) known.insert(id);
    return known;
}

}  // namespace penstock::simulation
