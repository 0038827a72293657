// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace penstock::storage {

enum class Engine { sqlite, postgresql };

enum class ColumnType { integer, text };
struct Column {
    std::string_view name;
    ColumnType type = ColumnType::text;
    bool key = false;       // part of the primary key
    bool nullable = false;  // an integer that may be absent: kAbsent in memory, NULL in the table
};
constexpr std::int64_t kAbsent = std::numeric_limits<std::int64_t>::min() + 1;

// What a table's statements are generated from, for both engines. Key columns come first.
struct Table {
    std::string_view name;
    std::vector<Column> columns;
    bool append_only = false;  // a key that comes twice is an error; otherwise the later row wins
};

// Columns of values, as bulk statements take and give them. Written and read row by row, each field
// in the order of the table's columns.
class RowBuffer {
  public:
    explicit RowBuffer(const Table& table);
    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }
    void clear();
    void resize(std::size_t rows);

    using Integers = std::vector<long long>;
    using Texts = std::vector<std::string>;
    using Values = std::variant<Integers, Texts>;
    std::vector<Values>& columns() { return columns_; }
    const std::vector<Values>& columns() const { return columns_; }

    class Writer {
      public:
        explicit Writer(RowBuffer& buffer) : buffer_(buffer) {}
        Writer& integer(std::int64_t value);
        Writer& text(std::string value);

      private:
        RowBuffer& buffer_;
        std::size_t column_ = 0;
    };
    Writer append() {
        ++size_;
        return Writer(*this);
    }

    class Reader {
      public:
        Reader(RowBuffer& buffer, std::size_t row) : buffer_(buffer), row_(row) {}
        std::int64_t integer();
        std::string text();  // moved out of the buffer

      private:
        RowBuffer& buffer_;
        std::size_t row_;
        std::size_t column_ = 0;
    };
    Reader read(std::size_t row) { return Reader(*this, row); }

  private:
    std::vector<Values> columns_;
    std::size_t size_ = 0;
};

// Bulk statements: one execution for a buffer of rows. SQLite repeats a prepared row statement; for
// PostgreSQL each column goes as one array, which costs one round trip.
std::string insert_sql(Engine engine, const Table& table);
std::string delete_sql(Engine engine, const Table& table);
// By key, `limit` rows. With `after`, those whose key is above :after_<column>.
std::string page_sql(const Table& table, bool after, std::size_t limit);
// "SELECT …columns… FROM table " with absent integers as kAbsent.
std::string select_sql(const Table& table);

}  // namespace penstock::storage
