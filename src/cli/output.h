// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "cli/column.h"
#include "cli/terminal.h"

namespace penstock::cli {

enum class Format : std::uint8_t { table, wide, json, jsonl, yaml, name, csv };
Result<Format> parse_format(std::string_view text);

struct OutputOptions {
    Format format = Format::table;
    std::string jq;                    // a filter over the JSON; wins over the format
    std::vector<std::string> columns;  // names of columns or paths; empty: the noun's own
    bool header = true;
};

// Prints what a command answers, in the form that was asked for. Tables are for people; every other
// form is stable and never translated.
class Printer {
  public:
    Printer(const Terminal& terminal, OutputOptions options, Look look)
        : terminal_(terminal), options_(std::move(options)), look_(look) {}

    // `page` is the API's: {"tasks": […], "total": 99}. Tables end with "Shown 10 of 99" on stderr.
    Result<void> list(const View& view, const json::Value& page) const;
    // One object: a table shows it as one line per column, the wide ones too.
    Result<void> object(const View& view, const json::Value& value) const;
    // One object of a stream: jsonl and json print one line each.
    Result<void> row(const View& view, const json::Value& value, bool first) const;
    // An object that has no table of its own: `lines` is its form for people.
    Result<void> document(const json::Value& value, const std::string& lines) const;

    bool for_people() const;
    const OutputOptions& options() const { return options_; }
    const Look& look() const { return look_; }

  private:
    Result<bool> print_document(const json::Value& value) const;
    Result<std::vector<Column>> columns_of(const View& view, const json::Value* sample) const;
    Table::Style style() const;
    const Terminal& terminal_;
    OutputOptions options_;
    Look look_;
};

// Applies a jq filter; each result is one line, strings without quotes.
Result<std::string> filter_with_jq(const std::string& filter, const std::string& json_text);

}  // namespace penstock::cli
