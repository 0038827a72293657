// SPDX-License-Identifier: Apache-2.0
#include "cli/json_path.h"

#include <boost/json.hpp>

#include "cli/human_text.h"

namespace penstock::cli {

const json::Value* at_path(const json::Value& value, std::string_view path) {
    const json::Value* here = &value;
    while (!path.empty()) {
        const std::string_view step = path.substr(0, path.find('.'));
        const json::Object* object = here->if_object();
        if (object == nullptr) return nullptr;
        here = object->if_contains(step);
        if (here == nullptr || here->is_null()) return nullptr;
        path.remove_prefix(std::min(path.size(), step.size() + 1));
    }
    return here;
}

std::string scalar_text(const json::Value& value) {
    if (value.is_null()) return {};
    if (const auto* text = value.if_string()) return {text->data(), text->size()};
    if (const json::Array* list = value.if_array()) {
        std::string joined;
        for (const json::Value& item : *list)
            joined += (joined.empty() ? "" : ",") + scalar_text(item);
        return joined;
    }
    // A double without an exponent, as people write it.
    if (value.is_double()) return number_text(value.get_double(), 6);
    return json::print_value(value);
}

std::string text_at(const json::Value& value, std::string_view path) {
    const json::Value* found = at_path(value, path);
    return found == nullptr ? std::string() : scalar_text(*found);
}

}  // namespace penstock::cli
