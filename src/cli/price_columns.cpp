// SPDX-License-Identifier: Apache-2.0
#include "cli/price_columns.h"

#include <boost/json.hpp>

#include "cli/human_text.h"
#include "cli/json_path.h"

namespace penstock::cli {
namespace {

const json::Array& list_at(const json::Value& row, std::string_view path) {
    static const json::Array kNone;
    const json::Value* list = at_path(row, path);
    return list == nullptr || !list->is_array() ? kNone : list->get_array();
}

std::string without_zeros(std::string decimal) {
    if (decimal.find('.') == std::string::npos) return decimal;
    while (decimal.ends_with('0')) decimal.pop_back();
    if (decimal.ends_with('.')) decimal.pop_back();
    return decimal;
}

}  // namespace

Column class_price_column(std::string name, std::string path, std::string token_class) {
    Column column = computed_column(
        std::move(name),
        [path = std::move(path),
         token_class = std::move(token_class)](const json::Value& row, const Look& look) {
            for (const json::Value& price : list_at(row, path)) {
                if (text_at(price, "token_class") != token_class) continue;
                const std::string amount = text_at(price, "price");
                std::string shown = look.machine ? amount : amount_text(amount);
                const std::string from = text_at(price, "priced_as");
                if (!from.empty()) shown.append(" (").append(from).append(")");
                return shown;
            }
            return std::string();
        }
    );
    column.align = Align::right;
    return column;
}

std::string amounts_cell(const json::Value& row, const Look&) {
    std::string text;
    for (const json::Value& item : list_at(row, "usage")) {
        if (!text.empty()) text += "; ";
        text += text_at(item, "meter") + " " + text_at(item, "quantity") + " × " +
                text_at(item, "price") + " = " + without_zeros(text_at(item, "exact_amount"));
        if (const std::string from = text_at(item, "priced_as"); !from.empty())
            text += " (as " + from + ")";
    }
    return text;
}

}  // namespace penstock::cli
