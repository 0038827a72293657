// SPDX-License-Identifier: Apache-2.0
#include "storage/table.h"

#include <fmt/format.h>

#include "base/check.h"

namespace penstock::storage {
namespace {

// For each column (or each key column) what `render` makes of it, with `separator` between.
template <class Render>
std::string list(const Table& table, bool keys_only, std::string_view separator, Render render) {
    std::string text;
    for (const Column& column : table.columns) {
        if (keys_only && !column.key) continue;
        if (!text.empty()) text += separator;
        text += render(column);
    }
    return text;
}

std::string name_of(const Column& column) { return std::string(column.name); }
std::string parameter_of(const Column& column) { return ":" + name_of(column); }

// "unnest(CAST(:seq AS bigint[]), …) AS given(seq, …)"
std::string unnest(const Table& table, bool keys_only) {
    const auto array = [](const Column& column) {
        const bool integer = column.type == ColumnType::integer;
        return fmt::format("CAST(:{} AS {}[])", column.name, integer ? "bigint" : "text");
    };
    return fmt::format(
        "unnest({}) AS given({})", list(table, keys_only, ", ", array),
        list(table, keys_only, ", ", name_of)
    );
}

}  // namespace

RowBuffer::RowBuffer(const Table& table) {
    for (const Column& column : table.columns)
        columns_.push_back(
            column.type == ColumnType::integer ? Values(Integers()) : Values(Texts())
        );
}

void RowBuffer::clear() { resize(0); }

void RowBuffer::resize(std::size_t rows) {
    for (Values& values : columns_) std::visit([&](auto& column) { column.resize(rows); }, values);
    size_ = rows;
}

RowBuffer::Writer& RowBuffer::Writer::integer(std::int64_t value) {
    std::get<Integers>(buffer_.columns_.at(column_++)).push_back(value);
    return *this;
}

RowBuffer::Writer& RowBuffer::Writer::text(std::string value) {
    std::get<Texts>(buffer_.columns_.at(column_++)).push_back(std::move(value));
    return *this;
}

std::int64_t RowBuffer::Reader::integer() {
    return std::get<Integers>(buffer_.columns_.at(column_++)).at(row_);
}

std::string RowBuffer::Reader::text() {
    return std::move(std::get<Texts>(buffer_.columns_.at(column_++)).at(row_));
}

std::string insert_sql(Engine engine, const Table& table) {
    const auto value = [&](const Column& column) {
        const std::string given = (engine == Engine::sqlite ? ":" : "given.") + name_of(column);
        return column.nullable ? fmt::format("NULLIF({}, {})", given, kAbsent) : given;
    };
    std::string sql =
        fmt::format("INSERT INTO {} ({}) ", table.name, list(table, false, ", ", name_of));
    if (engine == Engine::sqlite)
        sql += fmt::format("VALUES ({})", list(table, false, ", ", value));
    else
        sql +=
            fmt::format("SELECT {} FROM {}", list(table, false, ", ", value), unnest(table, false));
    if (table.append_only) return sql;
    std::string updates;
    for (const Column& column : table.columns)
        if (!column.key)
            updates += fmt::format(
                "{}{} = excluded.{}", updates.empty() ? "" : ", ", column.name, column.name
            );
    return sql + fmt::format(
                     " ON CONFLICT ({}) DO UPDATE SET {}", list(table, true, ", ", name_of), updates
                 );
}

std::string delete_sql(Engine engine, const Table& table) {
    CHECK(!table.append_only, "rows of an append-only table stay");
    if (engine == Engine::sqlite)
        return fmt::format(
            "DELETE FROM {} WHERE {}", table.name,
            list(
                table, true, " AND ",
                [](const Column& column) { return name_of(column) + " = " + parameter_of(column); }
            )
        );
    return fmt::format(
        "DELETE FROM {} USING {} WHERE {}", table.name, unnest(table, true),
        list(
            table, true, " AND ",
            [&](const Column& column) {
                return fmt::format("{}.{} = given.{}", table.name, column.name, column.name);
            }
        )
    );
}

std::string select_sql(const Table& table) {
    // SOCI reads a bare INTEGER column of SQLite into 32 bits when it fetches many rows at once; an
    // expression has no declared type and comes whole. The plus changes nothing else.
    const auto value = [](const Column& column) {
        if (column.nullable) return fmt::format("COALESCE({}, {})", column.name, kAbsent);
        return (column.type == ColumnType::integer ? "+" : "") + name_of(column);
    };
    return fmt::format("SELECT {} FROM {} ", list(table, false, ", ", value), table.name);
}

std::string page_sql(const Table& table, bool after, std::size_t limit) {
    std::string sql = select_sql(table);
    if (after)
        sql += fmt::format(
            "WHERE ({}) > ({}) ", list(table, true, ", ", name_of),
            list(
                table, true, ", ", [](const Column& column) { return ":after_" + name_of(column); }
            )
        );
    return sql + fmt::format("ORDER BY {} LIMIT {}", list(table, true, ", ", name_of), limit);
}

}  // namespace penstock::storage
