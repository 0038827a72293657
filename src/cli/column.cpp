// SPDX-License-Identifier: Apache-2.0
#include "cli/column.h"

#include <boost/json.hpp>

#include "cli/human_text.h"
#include "cli/json_path.h"

namespace penstock::cli {

Column text_column(std::string name, std::string path) {
    return {
        .name = std::move(name),
        .cell = [path = std::move(path
                 )](const json::Value& row, const Look&) { return text_at(row, path); }
    };
}

Column number_column(std::string name, std::string path) {
    Column column = text_column(std::move(name), std::move(path));
    column.align = Align::right;
    return column;
}

Column amount_column(std::string name, std::string path) {
    return {
        .name = std::move(name),
        .cell =
            [path = std::move(path)](const json::Value& row, const Look& look) {
                const std::string amount = text_at(row, path);
                return look.machine ? amount : amount_text(amount);
            },
        .align = Align::right
    };
}

Column age_column(std::string name, std::string path) {
    return {
        .name = std::move(name),
        .cell =
            [path = std::move(path)](const json::Value& row, const Look& look) {
                const std::string at = text_at(row, path);
                if (at.empty() || look.machine) return at;
                const Result<Time> time = parse_rfc3339(at);
                return time ? age_text(look.now - *time) : at;
            },
        .align = Align::left
    };
}

Column milli_column(std::string name, std::string path) {
    return {
        .name = std::move(name),
        .cell =
            [path = std::move(path)](const json::Value& row, const Look&) {
                const json::Value* found = at_path(row, path);
                if (found == nullptr || !found->is_int64()) return std::string();
                return milli_text(found->get_int64());
            },
        .align = Align::right
    };
}

Column computed_column(
    std::string name, std::function<std::string(const json::Value& row, const Look& look)> cell
) {
    return {.name = std::move(name), .cell = std::move(cell)};
}

Column wide(Column column) {
    column.wide = true;
    return column;
}

Column path_column(std::string path) { return text_column(path, path); }

std::string heading(const Column& column, Language language) {
    return std::string(find_text(language, "column." + column.name).value_or(column.name));
}

}  // namespace penstock::cli
