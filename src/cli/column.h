// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "cli/message.h"
#include "cli/table.h"
#include "json/json.h"

// What tables show of an API object. Columns read the object's JSON, so a table, its CSV and its
// JSON cannot disagree.
namespace penstock::cli {

struct Look {
    Time now;
    Language language = Language::en;
    bool machine = false;  // CSV: times in RFC 3339, amounts in full
};

struct Column {
    std::string name;  // English, in capitals; also what --columns takes
    std::function<std::string(const json::Value& row, const Look& look)> cell;
    bool wide = false;  // only with -o wide
    Align align = Align::left;
};

// The noun as lists and objects of it are shown.
struct View {
    std::string plural;    // the key of the list in a page: "tasks"
    std::string singular;  // for -o name: "task"
    std::vector<Column> columns;
    std::string id = "id";                              // path of what -o name prints
    std::optional<MessageKey> if_empty = std::nullopt;  // instead of "No tasks found."
};

Column text_column(std::string name, std::string path);
Column number_column(std::string name, std::string path);
Column amount_column(std::string name, std::string path);
// How long ago; "-" when absent.
Column age_column(std::string name, std::string path);
// Thousandths: "0.5".
Column milli_column(std::string name, std::string path);
Column computed_column(
    std::string name, std::function<std::string(const json::Value& row, const Look& look)> cell
);
Column wide(Column column);

// A column for `--columns some.path`.
Column path_column(std::string path);
// The heading in the person's language.
std::string heading(const Column& column, Language language);

}  // namespace penstock::cli
