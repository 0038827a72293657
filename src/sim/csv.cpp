// SPDX-License-Identifier: Apache-2.0
#include "sim/csv.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>

#include "base/check.h"
#include "config/settings.h"

// text  = line *(break line) [break]
// line  = cell *("," cell)
// cell  = *plain / DQUOTE *(any but DQUOTE / 2DQUOTE) DQUOTE
// break = LF / CR LF
namespace penstock::sim {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

std::unexpected<Error> at_line(const std::string& name, std::size_t line, const std::string& what) {
    return fail(ErrorCode::invalid_argument, fmt::format("{}:{}: {}", name, line, what));
}

class Scanner {
  public:
    Scanner(std::string_view text, const std::string& name) : text_(text), name_(name) {}

    bool at_end() const { return at_ >= text_.size(); }
    std::size_t line() const { return line_; }

    // The cells of one line, and the break behind it.
    Result<std::vector<std::string>> cells() {
        std::vector<std::string> cells;
        while (true) {
            if (cells.size() == kCsvColumnsMax)
                return at_line(name_, line_, fmt::format("more than {} columns", kCsvColumnsMax));
            cells.push_back(TRY(cell()));
            if (at_end()) return cells;
            const char stop = text_[at_++];
            if (stop == ',') continue;
            ++line_;
            return cells;
        }
    }

  private:
    // Stops before a comma, behind the CR of a break, or at the end.
    Result<std::string> cell() {
        std::string value;
        if (!at_end() && text_[at_] == '"')
            value = TRY(quoted());
        else
            value = TRY(plain());
        if (value.size() > kCsvCellBytesMax)
            return at_line(
                name_, line_, fmt::format("a cell has more than {} bytes", kCsvCellBytesMax)
            );
        return value;
    }

    Result<std::string> plain() {
        const std::size_t end = std::min(text_.find_first_of(",\r\n\"", at_), text_.size());
        std::string value(text_.substr(at_, end - at_));
        at_ = end;
        TRY(expect_stop("a quote inside a cell: quote the whole cell and double its quotes"));
        return value;
    }

    Result<std::string> quoted() {
        const std::size_t opened = line_;
        std::string value;
        ++at_;
        while (!at_end()) {
            const char c = text_[at_++];
            if (c == '"' && (at_end() || text_[at_] != '"')) {
                TRY(expect_stop("text behind a closing quote"));
                return value;
            }
            if (c == '"') ++at_;
            if (c == '\n') ++line_;
            value += c;
        }
        return at_line(name_, opened, "a quote is opened and never closed");
    }

    Result<void> expect_stop(const std::string& otherwise) {
        if (at_end() || text_[at_] == ',' || text_[at_] == '\n') return {};
        if (text_[at_] == '\r') {
            ++at_;
            if (!at_end() && text_[at_] == '\n') return {};
            return at_line(name_, line_, "a carriage return without a line feed");
        }
        return at_line(name_, line_, otherwise);
    }

    std::string_view text_;
    const std::string& name_;
    std::size_t at_ = 0;
    std::size_t line_ = 1;
};

Result<void> check_heading(const std::vector<std::string>& columns, const std::string& name) {
    for (std::size_t i = 0; i < columns.size(); ++i) {
        if (columns[i].empty())
            return at_line(name, 1, fmt::format("column {} has no name", i + 1));
        if (std::ranges::count(columns, columns[i]) > 1)
            return at_line(name, 1, fmt::format("two columns are called {}", columns[i]));
    }
    return {};
}

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
    Number number{};
    const char* end = std::to_address(text.end());
    const auto [stop, error] = std::from_chars(std::to_address(text.begin()), end, number);
    if (error != std::errc{} || stop != end) return std::nullopt;
    return number;
}

}  // namespace

Result<Csv> Csv::read(const std::filesystem::path& file) {
    return parse(TRY(config::read_file(file, kCsvBytesMax)), file.string());
}

Result<Csv> Csv::parse(std::string_view text, std::string name) {
    Csv csv;
    csv.name_ = std::move(name);
    if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
    Scanner scanner(text, csv.name_);
    if (scanner.at_end())
        return fail(ErrorCode::invalid_argument, csv.name_ + ": empty; a heading is expected");
    csv.columns_ = TRY(scanner.cells());
    TRY(check_heading(csv.columns_, csv.name_));
    while (!scanner.at_end()) {
        const std::size_t line = scanner.line();
        std::vector<std::string> cells = TRY(scanner.cells());
        if (cells.size() != csv.columns_.size())
            return at_line(
                csv.name_, line,
                fmt::format("{} cells, the heading has {}", cells.size(), csv.columns_.size())
            );
        std::ranges::move(cells, std::back_inserter(csv.cells_));
        csv.lines_.push_back(line);
    }
    return csv;
}

std::optional<std::size_t> Csv::find_column(std::string_view name) const {
    const auto found = std::ranges::find(columns_, name);
    if (found == columns_.end()) return std::nullopt;
    return static_cast<std::size_t>(found - columns_.begin());
}

Result<std::size_t> Csv::column(std::string_view name) const {
    if (const auto found = find_column(name)) return *found;
    return at_line(
        name_, 1,
        fmt::format("there is no column {}; there are {}", name, fmt::join(columns_, ", "))
    );
}

const std::string& Csv::text(std::size_t row, std::size_t column) const {
    CHECK(row < rows() && column < columns_.size(), "callers take rows() and column()");
    return cells_[row * columns_.size() + column];
}

Result<std::string> Csv::filled_text(std::size_t row, std::size_t column) const {
    if (text(row, column).empty()) return wrong(row, column, "is empty; a text is expected");
    return text(row, column);
}

Result<std::int64_t> Csv::integer(
    std::size_t row, std::size_t column, std::int64_t min, std::int64_t max
) const {
    const auto number = parse_number<std::int64_t>(text(row, column));
    if (!number || *number < min || *number > max)
        return wrong(
            row, column,
            fmt::format("'{}' is no whole number from {} to {}", text(row, column), min, max)
        );
    return *number;
}

Result<double> Csv::number(std::size_t row, std::size_t column, double min, double max) const {
    const auto number = parse_number<double>(text(row, column));
    if (!number || !(*number >= min && *number <= max))
        return wrong(
            row, column, fmt::format("'{}' is no number from {} to {}", text(row, column), min, max)
        );
    return *number;
}

std::unexpected<Error> Csv::wrong(std::size_t row, std::size_t column, std::string what) const {
    return at_line(name_, lines_.at(row), fmt::format("column {}: {}", columns_.at(column), what));
}

}  // namespace penstock::sim
