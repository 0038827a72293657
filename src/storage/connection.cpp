// SPDX-License-Identifier: Apache-2.0
#include "storage/connection.h"

#include <fmt/format.h>
#include <soci/postgresql/soci-postgresql.h>
#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>

#include "base/check.h"

namespace penstock::storage {
namespace {

// Which kind of failure a result code of SQLite is; the extended part is in the higher bits.
ErrorCode code_of_sqlite(int result) {
    switch (result & 0xFF) {
        case SQLITE_FULL:
            return ErrorCode::resource_exhausted;
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
        case SQLITE_IOERR:
        case SQLITE_CANTOPEN:
        case SQLITE_READONLY:
        case SQLITE_PERM:
            return ErrorCode::unavailable;
        default:
            return ErrorCode::internal;
    }
}

// https://www.postgresql.org/docs/15/errcodes-appendix.html: class 53 is resources, 08 the
// connection, 57 an operator's or the server's doing.
ErrorCode code_of_postgresql(const std::string& state) {
    if (state.starts_with("53")) return ErrorCode::resource_exhausted;
    if (state.starts_with("08") || state.starts_with("57") || state.starts_with("58") ||
        state.find_first_not_of(' ') == std::string::npos || state == "28000" || state == "28P01" ||
        state == "3D000")
        return ErrorCode::unavailable;
    return ErrorCode::internal;
}

std::string remedy(ErrorCode code, const Place& place) {
    const bool sqlite = place.engine == Engine::sqlite;
    if (code == ErrorCode::resource_exhausted && sqlite)
        return "the disk that holds " + place.directory +
               " is full: free space there, then start again";
    if (code == ErrorCode::resource_exhausted)
        return "PostgreSQL has run out of disk space, memory or connections: free some, then start "
               "again";
    if (code == ErrorCode::unavailable && sqlite)
        return "check that " + place.directory + " exists, can be written and is on a sound disk";
    if (code == ErrorCode::unavailable) return "check that PostgreSQL runs and lets this user in";
    return "this is a defect or a damaged database";
}

// The message without SOCI's context: that holds the bound values, which may be secrets.
Error error_of(const soci::soci_error& error, const Place& place) {
    ErrorCode code = ErrorCode::internal;
    if (const auto* sqlite = dynamic_cast<const soci::sqlite3_soci_error*>(&error))
        code = code_of_sqlite(sqlite->result());
    else if (const auto* postgresql = dynamic_cast<const soci::postgresql_soci_error*>(&error))
        code = code_of_postgresql(postgresql->sqlstate());
    else if (place.engine == Engine::postgresql)
        code = ErrorCode::unavailable;
    std::string what = error.get_error_message();
    while (!what.empty() && (what.back() == '\n' || what.back() == '.' || what.back() == ' '))
        what.pop_back();
    return Error{code, fmt::format("{}: {} ({})", place.url, what, remedy(code, place)), {}};
}

template <class Action>
auto guarded(const Place& place, Action action) -> decltype(action()) {
    try {
        return action();
    } catch (const soci::soci_error& error) {
        return std::unexpected(error_of(error, place));
    } catch (const std::exception& error) {
        return std::unexpected(Error{ErrorCode::internal, place.url + ": " + error.what(), {}});
    }
}

// {1,2,3}
std::string array_of(const RowBuffer::Integers& values) {
    std::string text = "{";
    for (const long long value : values)
        fmt::format_to(std::back_inserter(text), "{}{}", text.size() > 1 ? "," : "", value);
    return text + "}";
}
// {"a","b\"c"}
std::string array_of(const RowBuffer::Texts& values) {
    std::string text = "{";
    for (const std::string& value : values) {
        text += text.size() > 1 ? ",\"" : "\"";
        for (const char c : value) {
            if (c == '"' || c == '\\') text += '\\';
            text += c;
        }
        text += '"';
    }
    return text + "}";
}

}  // namespace

struct Connection::Session {
    soci::session sql;
};

// A prepared bulk statement. SOCI binds it to the addresses of what it executes with, so these live
// here.
struct Connection::Statement {
    Statement(
        soci::session& sql, const Table& table, const std::string& text, bool keys_only, Engine on
    )
        : engine(on), statement(sql), rows(table) {
        for (const Column& column : table.columns) used.push_back(!keys_only || column.key);
        arrays.resize(table.columns.size());
        statement.alloc();
        statement.prepare(text);
        for (std::size_t i = 0; i < table.columns.size(); ++i)
            if (used[i]) bind(i, std::string(table.columns[i].name));
        // SOCI looks at the vectors' sizes when it binds, so they cannot be empty then.
        rows.resize(1);
        statement.define_and_bind();
    }

    void bind(std::size_t column, const std::string& name) {
        if (engine == Engine::postgresql) {
            statement.exchange(soci::use(arrays[column], name));
            return;
        }
        rows.resize(1);
        std::visit(
            [&](auto& values) { statement.exchange(soci::use(values, name)); },
            rows.columns()[column]
        );
    }

    void execute(RowBuffer& given) {
        for (std::size_t i = 0; i < used.size(); ++i) {
            if (!used[i]) continue;
            if (engine == Engine::sqlite)
                std::swap(
                    rows.columns()[i], given.columns()[i]
                );  // the vectors stay where they are
            else
                std::visit(
                    [&](const auto& values) { arrays[i] = array_of(values); }, given.columns()[i]
                );
        }
        statement.execute(true);
    }

    Engine engine;
    soci::statement statement;
    RowBuffer rows;
    std::vector<std::string> arrays;
    std::vector<bool> used;
};

Connection::Connection(Place place, std::unique_ptr<Session> session)
    : place_(std::move(place)), session_(std::move(session)) {}
Connection::~Connection() = default;

Result<std::unique_ptr<Connection>> Connection::open(
    const Place& place, const std::string& connect
) {
    return guarded(place, [&]() -> Result<std::unique_ptr<Connection>> {
        auto session = std::make_unique<Session>();
        if (place.engine == Engine::sqlite)
            session->sql.open(soci::sqlite3, connect);
        else
            session->sql.open(soci::postgresql, connect);
        return std::unique_ptr<Connection>(new Connection(place, std::move(session)));
    });
}

Result<void> Connection::execute(const std::string& sql) {
    return guarded(place_, [&]() -> Result<void> {
        session_->sql << sql;
        return {};
    });
}

namespace {

// SOCI binds by address: `bound` outlives the statement's execution.
void bind_all(soci::statement& statement, const std::vector<Connection::Bound>& bound) {
    for (const Connection::Bound& one : bound)
        std::visit(
            [&](const auto& value) { statement.exchange(soci::use(value, one.name)); }, one.value
        );
}

}  // namespace

Result<std::int64_t> Connection::change(const std::string& sql, const std::vector<Bound>& bound) {
    return guarded(place_, [&]() -> Result<std::int64_t> {
        soci::statement statement(session_->sql);
        bind_all(statement, bound);
        statement.alloc();
        statement.prepare(sql);
        statement.define_and_bind();
        statement.execute(true);
        return statement.get_affected_rows();
    });
}

Result<std::int64_t> Connection::integer(const std::string& sql) {
    return guarded(place_, [&]() -> Result<std::int64_t> {
        long long value = 0;
        session_->sql << sql, soci::into(value);
        return value;
    });
}

Result<std::string> Connection::text(const std::string& sql) {
    return guarded(place_, [&]() -> Result<std::string> {
        std::string value;
        session_->sql << sql, soci::into(value);
        return value;
    });
}

Result<void> Connection::select(
    const std::string& sql, const std::vector<Bound>& bound, std::size_t rows_max, RowBuffer& out
) {
    return guarded(place_, [&]() -> Result<void> {
        out.clear();
        out.resize(rows_max);
        soci::statement statement(session_->sql);
        for (RowBuffer::Values& values : out.columns())
            std::visit([&](auto& column) { statement.exchange(soci::into(column)); }, values);
        bind_all(statement, bound);
        statement.alloc();
        statement.prepare(sql);
        statement.define_and_bind();
        const bool any = statement.execute(true);
        const std::size_t got =
            std::visit([](const auto& column) { return column.size(); }, out.columns().front());
        out.resize(any ? got : 0);
        return {};
    });
}

Result<void> Connection::bulk(const Table& table, Bulk what, RowBuffer& rows) {
    if (rows.empty()) return {};
    return guarded(place_, [&]() -> Result<void> {
        // Taken out, so that a statement which throws is dropped: SOCI would leak what is bound to
        // it.
        std::unique_ptr<Statement> statement = std::move(prepared_[{table.name, what}]);
        if (!statement) {
            const Engine engine = place_.engine;
            const bool removes = what == Bulk::remove;
            statement = std::make_unique<Statement>(
                session_->sql, table,
                removes ? delete_sql(engine, table) : insert_sql(engine, table), removes, engine
            );
        }
        statement->execute(rows);
        prepared_[{table.name, what}] = std::move(statement);
        return {};
    });
}

}  // namespace penstock::storage
