// SPDX-License-Identifier: Apache-2.0
#include "cli/table.h"

#include <algorithm>

#include "base/check.h"
#include "cli/text_width.h"

namespace penstock::cli {
namespace {

constexpr std::string_view kGap = "  ";

std::string cell_text(const std::string& cell, const Table::Style& style) {
    std::string text = cell.empty() ? "-" : printable(cell);
    if (style.words) std::ranges::replace(text, ' ', '_');
    return style.cell_max == 0 ? text : shorten(text, style.cell_max);
}

}  // namespace

void Table::add(std::vector<std::string> row) {
    CHECK(row.size() == headings_.size(), "every row is made from the same columns");
    rows_.push_back(std::move(row));
}

std::string Table::render(const Style& style) const {
    std::vector<std::vector<std::string>> lines;
    if (style.header) {
        auto& line = lines.emplace_back();
        for (const Heading& heading : headings_) line.push_back(heading.text);
    }
    for (const auto& row : rows_) {
        auto& line = lines.emplace_back();
        for (const std::string& cell : row) line.push_back(cell_text(cell, style));
    }
    std::vector<std::size_t> widths(headings_.size(), 0);
    for (const auto& line : lines)
        for (std::size_t i = 0; i < line.size(); ++i)
            widths[i] = std::max(widths[i], display_width(line[i]));

    std::string out;
    for (const auto& line : lines) {
        for (std::size_t i = 0; i < line.size(); ++i) {
            const bool last = i + 1 == line.size();
            if (headings_[i].align == Align::right)
                out += pad_left(line[i], widths[i]);
            else
                out += last ? line[i] : pad_right(line[i], widths[i]);
            if (!last) out += kGap;
        }
        out += '\n';
    }
    return out;
}

std::string csv_line(const std::vector<std::string>& cells) {
    std::string line;
    for (std::size_t i = 0; i < cells.size(); ++i) {
        if (i != 0) line += ',';
        std::string cell = cells[i];
        // A minus sign starts amounts too; those are left as they are.
        if (!cell.empty() && std::string_view("=+@\t").contains(cell.front()))
            cell.insert(0, 1, '\'');
        if (cell.find_first_of(",\"\r\n") == std::string::npos) {
            line += cell;
            continue;
        }
        line += '"';
        for (const char c : cell) {
            if (c == '"') line += '"';
            line += c;
        }
        line += '"';
    }
    return line + "\r\n";
}

}  // namespace penstock::cli
