// SPDX-License-Identifier: Apache-2.0
#include "cli/output.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cctype>

#include "cli/json_path.h"
#include "cli/suggestion.h"
#include "cli/text_width.h"
#include "config/yaml.h"

namespace penstock::cli {
namespace {

constexpr std::array<std::string_view, 7> kFormats = {"table", "wide", "json", "jsonl",
                                                      "yaml",  "name", "csv"};
constexpr std::size_t kTableCellMax = 48;  // -o wide never cuts

std::string upper(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), [](unsigned char c) {
        return static_cast<char>(std::toupper(c));
    });
    return out;
}

std::vector<std::string> cells(
    const std::vector<Column>& columns, const json::Value& row, const Look& look
) {
    std::vector<std::string> texts;
    for (const Column& column : columns) texts.push_back(column.cell(row, look));
    return texts;
}

const json::Array& rows_of(const json::Value& page, const std::string& plural) {
    static const json::Array kNone;
    const json::Value* found = at_path(page, plural);
    return found != nullptr && found->is_array() ? found->get_array() : kNone;
}

std::string name_line(const View& view, const json::Value& row) {
    return view.singular + "/" + text_at(row, view.id) + "\n";
}

std::unexpected<Error> no_such_column(
    const std::string& wanted, const std::vector<std::string>& known
) {
    const std::string meant = nearest(upper(wanted), known);
    std::string all;
    for (const std::string& name : known) {
        if (!all.empty()) all += ", ";
        all += name;
    }
    return fail_field(
        ErrorCode::invalid_argument, "--columns",
        "there is no column '" + wanted + "'" +
            (meant.empty() ? "" : " (did you mean " + meant + "?)") + "; there are " + all +
            ", and every path of the JSON, such as spec.priority"
    );
}

}  // namespace

Result<Format> parse_format(std::string_view text) {
    const auto* found = std::ranges::find(kFormats, text);
    if (found == kFormats.end())
        return fail_field(
            ErrorCode::invalid_argument, "--output",
            "'" + std::string(text) + "' is not one of table, wide, json, jsonl, yaml, name, csv"
        );
    return static_cast<Format>(found - kFormats.begin());
}

bool Printer::for_people() const {
    return options_.jq.empty() &&
           (options_.format == Format::table || options_.format == Format::wide);
}

Table::Style Printer::style() const {
    const bool is_wide = options_.format == Format::wide;
    return {.header = options_.header, .words = is_wide, .cell_max = is_wide ? 0 : kTableCellMax};
}

Result<std::vector<Column>> Printer::columns_of(const View& view, const json::Value* sample) const {
    std::vector<Column> columns;
    if (options_.columns.empty()) {
        for (const Column& column : view.columns)
            if (!column.wide || options_.format != Format::table) columns.push_back(column);
        return columns;
    }
    std::vector<std::string> known;
    for (const Column& column : view.columns) known.push_back(column.name);
    for (const std::string& wanted : options_.columns) {
        const auto found = std::ranges::find(view.columns, upper(wanted), &Column::name);
        if (found != view.columns.end()) {
            columns.push_back(*found);
            continue;
        }
        const std::string first = wanted.substr(0, wanted.find('.'));
        const bool is_path = first != wanted || (sample != nullptr && sample->is_object() &&
                                                 sample->get_object().contains(first));
        if (!is_path) return no_such_column(wanted, known);
        columns.push_back(path_column(wanted));
    }
    return columns;
}

Result<bool> Printer::print_document(const json::Value& value) const {
    if (!options_.jq.empty()) {
        terminal_.print(TRY(filter_with_jq(options_.jq, json::print_value(value))));
        return true;
    }
    if (options_.format == Format::json)
        terminal_.print(json::print_value_pretty(value) + "\n");
    else if (options_.format == Format::yaml)
        terminal_.print(yaml::print(value));
    else
        return false;
    return true;
}

Result<void> Printer::list(const View& view, const json::Value& page) const {
    if (TRY(print_document(page))) return {};
    const json::Array& rows = rows_of(page, view.plural);
    if (options_.format == Format::jsonl) {
        for (const json::Value& row : rows) terminal_.print(json::print_value(row) + "\n");
        return {};
    }
    if (options_.format == Format::name) {
        for (const json::Value& row : rows) terminal_.print(name_line(view, row));
        return {};
    }
    const std::vector<Column> columns =
        TRY(columns_of(view, rows.empty() ? nullptr : &rows.front()));
    if (options_.format == Format::csv) {
        Look look = look_;
        look.machine = true;
        std::vector<std::string> names;
        for (const Column& column : columns) names.push_back(column.name);
        if (options_.header) terminal_.print(csv_line(names));
        for (const json::Value& row : rows) terminal_.print(csv_line(cells(columns, row, look)));
        return {};
    }
    if (rows.empty()) {
        terminal_.say(
            view.if_empty ? std::string(text(look_.language, *view.if_empty))
                          : format(look_.language, "list.empty", view.plural)
        );
        return {};
    }
    std::vector<Table::Heading> headings;
    for (const Column& column : columns)
        headings.push_back({heading(column, look_.language), column.align});
    Table table(std::move(headings));
    for (const json::Value& row : rows) table.add(cells(columns, row, look_));
    terminal_.print(table.render(style()));
    const json::Value* total = at_path(page, "total");
    if (total != nullptr)
        terminal_.say(format(look_.language, "list.shown", rows.size(), scalar_text(*total)));
    return {};
}

Result<void> Printer::object(const View& view, const json::Value& value) const {
    if (TRY(print_document(value))) return {};
    if (options_.format == Format::jsonl)
        terminal_.print(json::print_value(value) + "\n");
    else if (options_.format == Format::name)
        terminal_.print(name_line(view, value));
    else if (options_.format == Format::csv)
        return row(view, value, true);
    else {
        const std::vector<Column> columns =
            options_.columns.empty() ? view.columns : TRY(columns_of(view, &value));
        std::size_t widest = 0;
        for (const Column& column : columns)
            widest = std::max(widest, display_width(heading(column, look_.language)));
        for (const Column& column : columns) {
            const std::string cell = printable(column.cell(value, look_));
            terminal_.print(
                pad_right(heading(column, look_.language), widest) + "  " +
                (cell.empty() ? "-" : cell) + "\n"
            );
        }
    }
    return {};
}

Result<void> Printer::row(const View& view, const json::Value& value, bool first) const {
    if (!options_.jq.empty() || options_.format == Format::yaml) {
        if (options_.format == Format::yaml && !first) terminal_.print("---\n");
        TRY(print_document(value));
        return {};
    }
    if (options_.format == Format::json || options_.format == Format::jsonl) {
        terminal_.print(json::print_value(value) + "\n");
        return {};
    }
    if (options_.format == Format::name) {
        terminal_.print(name_line(view, value));
        return {};
    }
    const std::vector<Column> columns = TRY(columns_of(view, &value));
    Look look = look_;
    look.machine = options_.format == Format::csv;
    std::vector<std::string> names;
    for (const Column& column : columns)
        names.push_back(look.machine ? column.name : heading(column, look_.language));
    const std::vector<std::string> texts = cells(columns, value, look);
    if (look.machine) {
        if (first && options_.header) terminal_.print(csv_line(names));
        terminal_.print(csv_line(texts));
        return {};
    }
    // A stream has no last row to align with: columns are separated only.
    std::string line;
    for (std::size_t i = 0; i < texts.size(); ++i) {
        const std::string cell = texts[i].empty() ? "-" : printable(texts[i]);
        line += (i == 0 ? "" : "  ") + cell;
    }
    terminal_.print(line + "\n");
    return {};
}

Result<void> Printer::document(const json::Value& value, const std::string& lines) const {
    if (TRY(print_document(value))) return {};
    if (options_.format == Format::csv || options_.format == Format::name)
        return fail_field(
            ErrorCode::invalid_argument, "--output",
            "this answer is no row: use table, json, jsonl or yaml"
        );
    terminal_.print(for_people() ? lines : json::print_value(value) + "\n");
    return {};
}

}  // namespace penstock::cli
