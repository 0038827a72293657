// SPDX-License-Identifier: Apache-2.0
// What lists are made from: pages, counts and look-ups, on the reading connection.
#include <fmt/format.h>

#include <algorithm>

#include "storage/sql_store.h"

namespace penstock::storage {
namespace {

// Conditions joined by AND, with the values that they bind.
struct Where {
    std::string sql;
    std::vector<Connection::Bound> bound = {};

    // "column sign :name" where there is a value.
    void add(std::string_view condition, std::string name, const std::string& value) {
        if (value.empty()) return;
        sql += fmt::format("{} {}", sql.empty() ? "WHERE" : " AND", condition);
        bound.push_back({std::move(name), value});
    }
};

Where where(const EventFilter& filter) {
    Where all{"WHERE seq > :after_seq"};
    all.bound.push_back({"after_seq", static_cast<long long>(filter.after_seq)});
    all.add("subject = :subject", "subject", filter.subject);
    all.add("tenant = :tenant", "tenant", filter.tenant);
    return all;
}

Where where(const UsageFilter& filter) {
    Where all;
    all.add("tenant = :tenant", "tenant", filter.tenant);
    all.add("provider = :provider", "provider", filter.provider);
    all.add("id < :before_id", "before_id", filter.before_id);
    return all;
}

template <class Row, class Read>
Result<Page<Row>> page_of(RowBuffer& rows, std::size_t limit, Read read_row) {
    Page<Row> page{.rows = {}, .more = rows.size() > limit};
    for (std::size_t i = 0; i < std::min(rows.size(), limit); ++i)
        page.rows.push_back(TRY(read_row(rows.read(i))));
    return page;
}

// The shape of an answer of one number, and of a list of ids.
const Table& count_table() {
    static const Table table{"count", {{"count", ColumnType::integer}}};
    return table;
}
const Table& usage_id_table() {
    static const Table table{"usage_record", {{"id"}}};
    return table;
}

constexpr std::size_t kIdsPerStatement = 100;

}  // namespace

Result<std::int64_t> SqlStore::count(
    TableId id, const std::string& condition, const std::vector<Connection::Bound>& bound
) {
    // Room for two rows: SOCI gives nothing where SQLite fills a vector of one.
    constexpr std::size_t kRoom = 2;
    RowBuffer rows(count_table());
    TRY(read(
        fmt::format("SELECT +count(*) FROM {} {}", table(id).name, condition), bound, kRoom, rows
    ));
    return rows.read(0).integer();
}

Result<Page<AppendEvent>> SqlStore::events(const EventFilter& filter) {
    const Where all = where(filter);
    const std::size_t limit = std::min(filter.limit, kEventPageMax);
    RowBuffer rows(table(TableId::event));
    TRY(read(
        select_sql(table(TableId::event)) + all.sql +
            fmt::format(" ORDER BY seq LIMIT {}", limit + 1),
        all.bound, limit + 1, rows
    ));
    return page_of<AppendEvent>(rows, limit, read_event);
}

Result<std::int64_t> SqlStore::count_events(const EventFilter& filter) {
    const Where all = where(filter);
    return count(TableId::event, all.sql, all.bound);
}

Result<std::int64_t> SqlStore::last_event_seq() {
    Lock lock(reader_mutex_);
    return reader_->integer("SELECT COALESCE(MAX(seq), 0) FROM event");
}

Result<Page<AppendUsage>> SqlStore::usage(const UsageFilter& filter) {
    const Where all = where(filter);
    const std::size_t limit = std::min(filter.limit, kUsagePageMax);
    RowBuffer rows(table(TableId::usage_record));
    TRY(read(
        select_sql(table(TableId::usage_record)) + all.sql +
            fmt::format(" ORDER BY id DESC LIMIT {}", limit + 1),
        all.bound, limit + 1, rows
    ));
    return page_of<AppendUsage>(rows, limit, read_usage);
}

Result<std::int64_t> SqlStore::count_usage(const UsageFilter& filter) {
    const Where all = where(filter);
    return count(TableId::usage_record, all.sql, all.bound);
}

Result<std::set<std::string>> SqlStore::known_usage(const std::vector<std::string>& ids) {
    std::set<std::string> known;
    for (std::size_t first = 0; first < ids.size(); first += kIdsPerStatement) {
        std::string names;
        std::vector<Connection::Bound> bound;
        for (std::size_t i = first; i < std::min(ids.size(), first + kIdsPerStatement); ++i) {
            std::string name = fmt::format("id_{}", i - first);
            names += (names.empty() ? ":" : ", :") + name;
            bound.push_back({std::move(name), ids[i]});
        }
        RowBuffer rows(usage_id_table());
        TRY(read(
            fmt::format("SELECT id FROM usage_record WHERE id IN ({})", names), bound,
            kIdsPerStatement, rows
        ));
        for (std::size_t i = 0; i < rows.size(); ++i) known.insert(rows.read(i).text());
    }
    return known;
}

}  // namespace penstock::storage
