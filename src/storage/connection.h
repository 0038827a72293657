// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "storage/table.h"

namespace penstock::storage {

// Where a connection leads, in words for error messages. Never holds a password.
struct Place {
    Engine engine = Engine::sqlite;
    std::string url;        // as Store::describe() shows it
    std::string directory;  // SQLite: what fills up
};

// One session of one engine with its prepared statements: the only class that names SOCI. Its
// exceptions end here as Errors. Blocks; one thread at a time.
class Connection {
  public:
    static Result<std::unique_ptr<Connection>> open(const Place& place, const std::string& connect);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    Result<void> execute(const std::string& sql);
    // As execute, for a statement that must change one row; its bound values by name.
    struct Bound {
        std::string name;
        std::variant<long long, std::string> value;
    };
    Result<std::int64_t> change(const std::string& sql, const std::vector<Bound>& bound);
    // The first column of the only row.
    Result<std::int64_t> integer(const std::string& sql);
    Result<std::string> text(const std::string& sql);
    // Up to `rows_max` rows into `out`, which is of the shape that the statement selects.
    Result<void> select(
        const std::string& sql, const std::vector<Bound>& bound, std::size_t rows_max,
        RowBuffer& out
    );

    enum class Bulk { insert, remove };
    // All rows of `rows` in one go; what it leaves in there is unspecified. The statement stays
    // prepared for the next time.
    Result<void> bulk(const Table& table, Bulk what, RowBuffer& rows);

  private:
    struct Session;
    struct Statement;
    Connection(Place place, std::unique_ptr<Session> session);

    Place place_;
    std::unique_ptr<Session> session_;
    std::map<std::pair<std::string_view, Bulk>, std::unique_ptr<Statement>> prepared_;
};

}  // namespace penstock::storage
