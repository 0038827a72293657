// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "storage/store.h"
#include "storage/table.h"

namespace penstock::storage {

// The tables as Write and Visitor know them. One number per table indexes its buffers.
enum class TableId {
    entity,
    account,
    transfer,
    hold,
    accumulator,
    burnt_id,
    idempotency,
    usage_record,
    event,
};
constexpr std::array kTableIds = {
    TableId::entity,      TableId::account,      TableId::transfer,
    TableId::hold,        TableId::accumulator,  TableId::burnt_id,
    TableId::idempotency, TableId::usage_record, TableId::event,
};
const Table& table(TableId id);

// Rows into columns, in the order of the table's columns.
void put(RowBuffer& out, const PutEntity& row);
void put(RowBuffer& out, const PutAccount& row);
void put(RowBuffer& out, const AppendTransfer& row);
void put(RowBuffer& out, const PutHold& row);
void put(RowBuffer& out, const PutAccumulator& row);
void put(RowBuffer& out, const BurnId& row);
void put(RowBuffer& out, const PutIdempotency& row);
void put(RowBuffer& out, const AppendUsage& row);
void put(RowBuffer& out, const AppendEvent& row);

// And back. An error names the table and the value that no version of ours has written.
Result<PutEntity> read_entity(RowBuffer::Reader row);
Result<ledger::Account> read_account(RowBuffer::Reader row);
Result<ledger::Transfer> read_transfer(RowBuffer::Reader row);
Result<ledger::Hold> read_hold(RowBuffer::Reader row);
Result<ledger::AccumulatorRow> read_accumulator(RowBuffer::Reader row);
Result<ledger::BurntId> read_burnt(RowBuffer::Reader row);
Result<PutIdempotency> read_idempotency(RowBuffer::Reader row);
Result<AppendUsage> read_usage(RowBuffer::Reader row);
Result<AppendEvent> read_event(RowBuffer::Reader row);
// Reads one row of a table and hands it to its method of the visitor.
Result<void> visit(TableId id, RowBuffer::Reader row, Visitor& visitor);

// Steps that lead from an empty database to today's schema. Once released a step never changes: its
// checksum is stored, and a database with another one is refused.
struct Migration {
    std::int64_t number = 0;
    std::string_view name;
    std::vector<std::string> statements;
};
std::vector<Migration> migrations(Engine engine);
std::string checksum(const Migration& migration);  // SHA-256, hexadecimal

}  // namespace penstock::storage
