// SPDX-License-Identifier: Apache-2.0
#include "memory_store.h"

#include <gtest/gtest.h>

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

Result<void> Disk::load(storage::Visitor& visitor) const {
    for (const auto& [key, row] : entities_) TRY(visitor.entity(row));
    for (const auto& [id, row] : accounts_) TRY(visitor.account(row));
    for (const ledger::Transfer& row : transfers_) TRY(visitor.transfer(row));
    for (const auto& [id, row] : holds_) TRY(visitor.hold(row));
    for (const auto& [key, row] : accumulators_) TRY(visitor.accumulator(row));
    for (const ledger::BurntId& row : burnt_) TRY(visitor.burnt(row));
    for (const auto& [id, row] : usage_) TRY(visitor.usage(row));
    for (const auto& [seq, row] : events_) TRY(visitor.event(row));
    return {};
}

Result<void> MemoryStore::load(storage::Visitor& visitor, storage::LoadScope) {
    return disk_.load(visitor);
}

Result<void> MemoryStore::commit(const storage::Batch& batch) {
    if (unplugged_) return fail(ErrorCode::unavailable, "the plug is pulled");
    disk_.apply(batch);
    return {};
}

Result<storage::Page<storage::AppendEvent>> MemoryStore::events(const storage::EventFilter&) {
    return storage::Page<storage::AppendEvent>{};
}

Result<storage::Page<storage::AppendUsage>> MemoryStore::usage(
    std::string_view, std::string_view, std::size_t
) {
    return storage::Page<storage::AppendUsage>{};
}

Result<std::int64_t> MemoryStore::last_event_seq() {
    return static_cast<std::int64_t>(disk_.events());
}

}  // namespace penstock::simulation
