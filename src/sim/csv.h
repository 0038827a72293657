// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace penstock::sim {

constexpr std::size_t kCsvBytesMax = 256UL * 1024 * 1024;
constexpr std::size_t kCsvColumnsMax = 256;
constexpr std::size_t kCsvCellBytesMax = 64UL * 1024;

// A CSV text with a heading, read strictly (RFC 4180; LF or CRLF): every row has as many cells as
// the heading, column names are not empty and differ, quotes are closed. Errors read
// "nodes.csv:12: column gpu: 'x' is no whole number from 0 to 16". A value; owns its text.
//
//     const Csv csv = TRY(Csv::read("nodes.csv"));
//     const auto gpu = TRY(csv.column("gpu"));
//     for (std::size_t row = 0; row < csv.rows(); ++row) count += TRY(csv.integer(row, gpu, 0,
//     16));
class Csv {
  public:
    static Result<Csv> read(const std::filesystem::path& file);
    // `name` stands in the messages.
    static Result<Csv> parse(std::string_view text, std::string name);

    std::size_t rows() const { return lines_.size(); }
    const std::vector<std::string>& columns() const { return columns_; }
    const std::string& name() const { return name_; }

    // Index of a column; the error names the columns there are.
    Result<std::size_t> column(std::string_view name) const;
    std::optional<std::size_t> find_column(std::string_view name) const;

    const std::string& text(std::size_t row, std::size_t column) const;
    Result<std::string> filled_text(std::size_t row, std::size_t column) const;  // empty: an error
    Result<std::int64_t> integer(
        std::size_t row, std::size_t column, std::int64_t min, std::int64_t max
    ) const;
    Result<double> number(std::size_t row, std::size_t column, double min, double max) const;
    // An error about a cell, for rules of the caller: `what` follows "file:line: column c: ".
    std::unexpected<Error> wrong(std::size_t row, std::size_t column, std::string what) const;

  private:
    std::string name_;
    std::vector<std::string> columns_;
    std::vector<std::string> cells_;  // row by row
    std::vector<std::size_t> lines_;  // where each row starts in the file
};

}  // namespace penstock::sim
