// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace penstock::cli {

enum class Align : std::uint8_t { left, right };

// Cells as text, aligned by what a terminal shows of them. Columns are two spaces apart; the last
// one is not padded. Empty cells are printed as "-", so that every row has as many words as
// columns.
class Table {
  public:
    struct Heading {
        std::string text;
        Align align = Align::left;
    };
    explicit Table(std::vector<Heading> headings) : headings_(std::move(headings)) {}
    void add(std::vector<std::string> row);  // as many cells as headings
    bool empty() const { return rows_.empty(); }

    struct Style {
        bool header = true;
        bool words = false;        // no spaces inside cells: for awk and friends
        std::size_t cell_max = 0;  // longer cells are cut with "…"; 0: never
    };
    std::string render(const Style& style) const;

  private:
    std::vector<Heading> headings_;
    std::vector<std::vector<std::string>> rows_;
};

// RFC 4180: commas, quotes and line breaks are quoted, lines end with CR LF. A cell that starts
// like a formula gets a leading apostrophe, since spreadsheets would run it.
std::string csv_line(const std::vector<std::string>& cells);

}  // namespace penstock::cli
