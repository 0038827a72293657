// SPDX-License-Identifier: Apache-2.0
#include "storage/sql_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "base/check.h"
#include "ledger/plain_text.h"

namespace penstock::storage {
namespace {

constexpr std::size_t kLoadPageRows = 4'096;

// Tells fields of a key apart: text holds no zero byte.
std::string joined_key(std::string_view first, std::string_view second) {
    std::string key(first);
    key += '\0';
    return key += second;
}

const Table& migration_table() {
    static const Table table{
        "schema_migration", {{"number", ColumnType::integer, true}, {"name"}, {"checksum"}}, true
    };
    return table;
}

// The bound values that continue after the last row of a page.
std::vector<Connection::Bound> bound_after(const Table& table, const RowBuffer& rows) {
    std::vector<Connection::Bound> bound;
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
        if (!table.columns[i].key) continue;
        Connection::Bound one{"after_" + std::string(table.columns[i].name), 0LL};
        std::visit([&](const auto& values) { one.value = values.back(); }, rows.columns()[i]);
        bound.push_back(std::move(one));
    }
    return bound;
}

}  // namespace

// A group of writes, sorted into the bulk statements that make them. Tables that are updated keep
// only the last write to a key: one statement may touch a row once, and a hot account costs one
// row.
struct SqlStore::Buffers {
    Buffers() {
        for (const TableId id : kTableIds) inserts.emplace_back(table(id));
        for (const TableId id : kTableIds) removals.emplace_back(table(id));
    }
    RowBuffer& of(TableId id) { return inserts.at(static_cast<std::size_t>(id)); }

    void sort(const Batch& batch) {
        for (const Write& write : batch.writes)
            std::visit([&](const auto& row) { take(row); }, write);
        for (const auto& [key, row] : entities) {
            if (row.put != nullptr)
                put(of(TableId::entity), *row.put);
            else
                remove(TableId::entity, row.removed->kind, row.removed->id);
        }
        for (const auto& [key, row] : answers) {
            if (row.put != nullptr)
                put(of(TableId::idempotency), *row.put);
            else
                remove(TableId::idempotency, row.removed->tenant, row.removed->key);
        }
        for (const auto& [id, row] : accounts) put(of(TableId::account), *row);
        for (const auto& [id, row] : holds) put(of(TableId::hold), *row);
        for (const auto& [key, row] : accumulators) put(of(TableId::accumulator), *row);
    }

    void take(const PutEntity& row) { entities[joined_key(row.kind, row.id)] = {&row, nullptr}; }
    void take(const DeleteEntity& row) { entities[joined_key(row.kind, row.id)] = {nullptr, &row}; }
    void take(const PutIdempotency& row) {
        answers[joined_key(row.tenant, row.key)] = {&row, nullptr};
    }
    void take(const DeleteIdempotency& row) {
        answers[joined_key(row.tenant, row.key)] = {nullptr, &row};
    }
    void take(const PutAccount& row) { accounts[row.account.id()] = &row; }
    void take(const PutHold& row) { holds[row.hold.pending_id] = &row; }
    void take(const PutAccumulator& row) {
        accumulators[joined_key(row.row.contract, row.row.party)] = &row;
    }
    void take(const AppendEvent& row) { put(of(TableId::event), row); }
    void take(const AppendTransfer& row) { put(of(TableId::transfer), row); }
    void take(const BurnId& row) { put(of(TableId::burnt_id), row); }
    void take(const AppendUsage& row) { put(of(TableId::usage_record), row); }

    // Only the two key columns of a removal are used.
    void remove(TableId id, const std::string& first, const std::string& second) {
        RowBuffer& rows = removals.at(static_cast<std::size_t>(id));
        rows.append().text(first).text(second);
    }

    Result<void> check_text() const {
        for (const TableId id : kTableIds)
            for (const auto* buffers : {&inserts, &removals})
                for (const RowBuffer::Values& values :
                     buffers->at(static_cast<std::size_t>(id)).columns()) {
                    const auto* texts = std::get_if<RowBuffer::Texts>(&values);
                    if (texts == nullptr) continue;
                    if (!std::ranges::all_of(*texts, ledger::is_storable_text))
                        return fail(
                            ErrorCode::invalid_argument,
                            fmt::format(
                                "a row of '{}' holds text that is not UTF-8 or has a NUL",
                                table(id).name
                            )
                        );
                }
        return {};
    }

    template <class Put, class Removed>
    struct Last {
        const Put* put = nullptr;
        const Removed* removed = nullptr;
    };
    std::unordered_map<std::string, Last<PutEntity, DeleteEntity>> entities;
    std::unordered_map<std::string, Last<PutIdempotency, DeleteIdempotency>> answers;
    std::unordered_map<ledger::AccountId, const PutAccount*> accounts;
    std::unordered_map<ledger::TransferId, const PutHold*> holds;
    std::unordered_map<std::string, const PutAccumulator*> accumulators;
    std::vector<RowBuffer> inserts, removals;  // by TableId
};

void Batch::add(ledger::Rows rows) {
    for (ledger::Account& row : rows.accounts) writes.emplace_back(PutAccount{std::move(row)});
    for (ledger::Transfer& row : rows.transfers)
        writes.emplace_back(AppendTransfer{std::move(row)});
    for (const ledger::Hold& row : rows.holds) writes.emplace_back(PutHold{row});
    for (const ledger::BurntId& row : rows.burnt) writes.emplace_back(BurnId{row});
}

SqlStore::SqlStore(
    Place place, std::unique_ptr<OwnerLock> lock, std::unique_ptr<Connection> writer,
    std::unique_ptr<Connection> reader
)
    : place_(std::move(place)),
      lock_(std::move(lock)),
      writer_(std::move(writer)),
      reader_(std::move(reader)) {}

Result<void> SqlStore::take_over() {
    TRY(migrate());
    TRY(writer_->execute("UPDATE owner SET epoch = epoch + 1"));
    epoch_ = TRY(writer_->integer("SELECT epoch FROM owner"));
    return {};
}

Result<void> SqlStore::migrate() {
    const std::string exists =
        place_.engine == Engine::sqlite
            ? "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = "
              "'schema_migration'"
            : "SELECT count(*) FROM information_schema.tables "
              "WHERE table_schema = current_schema() AND table_name = 'schema_migration'";
    if (TRY(writer_->integer(exists)) == 0)
        TRY(writer_->execute(
            place_.engine == Engine::sqlite
                ? "CREATE TABLE schema_migration (number INTEGER NOT NULL PRIMARY KEY, "
                  "name TEXT NOT NULL, checksum TEXT NOT NULL) STRICT"
                : "CREATE TABLE schema_migration (number BIGINT NOT NULL PRIMARY KEY, "
                  "name TEXT NOT NULL, checksum TEXT NOT NULL)"
        ));
    const std::vector<Migration> known = migrations(place_.engine);
    std::int64_t newest = 0;
    TRY(check_applied(known, newest));
    for (const Migration& migration : known)
        if (migration.number > newest) TRY(apply(migration));
    return {};
}

Result<void> SqlStore::check_applied(const std::vector<Migration>& known, std::int64_t& newest) {
    RowBuffer rows(migration_table());
    TRY(writer_->select(page_sql(migration_table(), false, kLoadPageRows), {}, kLoadPageRows, rows)
    );
    for (std::size_t i = 0; i < rows.size(); ++i) {
        RowBuffer::Reader row = rows.read(i);
        const std::int64_t number = row.integer();
        const std::string name = row.text(), stored = row.text();
        if (number > static_cast<std::int64_t>(known.size()))
            return fail(
                ErrorCode::conflict, fmt::format(
                                         "{} has schema {} ('{}'), this program knows {} only: "
                                         "start the newer penstock that "
                                         "wrote it, or restore a backup from before the upgrade",
                                         place_.url, number, name, known.size()
                                     )
            );
        if (stored != checksum(known[static_cast<std::size_t>(number - 1)]))
            return fail(
                ErrorCode::conflict, fmt::format(
                                         "{}: schema step {} ('{}') is not the one of this "
                                         "program: the database was made by "
                                         "another build; use that build or restore a backup",
                                         place_.url, number, name
                                     )
            );
        newest = number;
    }
    return {};
}

Result<void> SqlStore::apply(const Migration& migration) {
    const auto steps = [&]() -> Result<void> {
        for (const std::string& statement : migration.statements) TRY(writer_->execute(statement));
        RowBuffer row(migration_table());
        row.append()
            .integer(migration.number)
            .text(std::string(migration.name))
            .text(checksum(migration));
        TRY(writer_->bulk(migration_table(), Connection::Bulk::insert, row));
        return writer_->execute("COMMIT");
    };
    TRY(writer_->execute("BEGIN"));
    Result<void> done = steps();
    if (!done) roll_back();
    return done;
}

Result<void> SqlStore::commit(const Batch& batch) {
    if (batch.empty()) return {};
    Buffers buffers;
    buffers.sort(batch);
    TRY(buffers.check_text());
    TRY(writer_->execute(place_.engine == Engine::sqlite ? "BEGIN IMMEDIATE" : "BEGIN"));
    Result<void> done = write(buffers);
    if (!done) roll_back();
    return done;
}

Result<void> SqlStore::write(Buffers& buffers) {
    TRY(check_epoch());
    for (const TableId id : kTableIds) {
        const std::size_t at = static_cast<std::size_t>(id);
        TRY(writer_->bulk(table(id), Connection::Bulk::remove, buffers.removals[at]));
        TRY(writer_->bulk(table(id), Connection::Bulk::insert, buffers.inserts[at]));
    }
    return writer_->execute("COMMIT");
}

void SqlStore::roll_back() {
    // The failure to tell is the first one; SQLite may have rolled back by itself already.
    [[maybe_unused]] const Result<void> done = writer_->execute("ROLLBACK");
}

Result<void> SqlStore::check_epoch() {
    const std::int64_t changed = TRY(writer_->change(
        "UPDATE owner SET commits = commits + 1 WHERE epoch = :epoch",
        {{"epoch", static_cast<long long>(epoch_)}}
    ));
    if (changed != 1)
        return fail(
            ErrorCode::unavailable,
            place_.url + " was taken over by another server: this one must stop and load again"
        );
    return {};
}

Result<void> SqlStore::load(Visitor& visitor, LoadScope scope) {
    for (const TableId id : kTableIds) {
        if (id == TableId::usage_record && !scope.usage) continue;
        if (id == TableId::event && !scope.events) continue;
        TRY(load_table(id, visitor));
    }
    return {};
}

Result<void> SqlStore::load_table(TableId id, Visitor& visitor) {
    const Table& loaded = table(id);
    RowBuffer rows(loaded);
    std::vector<Connection::Bound> after;
    do {
        TRY(read(page_sql(loaded, !after.empty(), kLoadPageRows), after, kLoadPageRows, rows));
        if (rows.empty()) break;
        after = bound_after(loaded, rows);
        for (std::size_t i = 0; i < rows.size(); ++i) TRY(visit(id, rows.read(i), visitor));
    } while (rows.size() == kLoadPageRows);
    return {};
}

Result<void> SqlStore::read(
    const std::string& sql, const std::vector<Connection::Bound>& bound, std::size_t rows_max,
    RowBuffer& out
) {
    Lock lock(reader_mutex_);
    return reader_->select(sql, bound, rows_max, out);
}

Result<std::unique_ptr<Store>> open(std::string_view url, const OpenOptions& options) {
    if (url.starts_with("sqlite://")) return open_sqlite(url, options);
    if (url.starts_with("postgresql://") || url.starts_with("postgres://"))
        return open_postgresql(url);
    const std::size_t scheme = url.find("://");
    return fail(
        ErrorCode::invalid_argument,
        "a store's URL begins with sqlite:/// or postgresql://" +
            (scheme == std::string_view::npos ? std::string()
                                              : ", not " + std::string(url.substr(0, scheme + 3)))
    );
}

}  // namespace penstock::storage
