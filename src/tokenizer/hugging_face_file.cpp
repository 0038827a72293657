// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/hugging_face_file.h"

#include <boost/json.hpp>

namespace penstock::tokenizer {

std::unexpected<Error> wrong(std::string path, std::string message) {
    return fail_field(ErrorCode::invalid_argument, std::move(path), std::move(message));
}

std::unexpected<Error> not_implemented(const std::string& path, std::string_view what) {
    return wrong(
        path, "'" + std::string(what) + "' is not implemented here, and a count has to be exact"
    );
}

bool Node::absent() const { return value == nullptr || value->is_null(); }

Node Node::at(std::string_view name) const {
    const json::Object* object = value == nullptr ? nullptr : value->if_object();
    return {
        object == nullptr ? nullptr : object->if_contains(name),
        path.empty() ? std::string(name) : path + "." + std::string(name)
    };
}

Result<std::string> Node::text() const {
    if (value == nullptr || !value->is_string()) return wrong(path, "expected a text");
    return std::string(value->get_string());
}

Result<bool> Node::flag(bool otherwise) const {
    if (absent()) return otherwise;
    if (!value->is_bool()) return wrong(path, "expected true or false");
    return value->get_bool();
}

Result<std::int64_t> Node::integer() const {
    if (value == nullptr || !value->is_int64()) return wrong(path, "expected a whole number");
    return value->get_int64();
}

Result<double> Node::number() const {
    if (value != nullptr && value->is_int64()) return static_cast<double>(value->get_int64());
    if (value == nullptr || !value->is_double()) return wrong(path, "expected a number");
    return value->get_double();
}

Result<TokenId> Node::id() const {
    if (value == nullptr || !value->is_int64() || value->get_int64() < 0 ||
        value->get_int64() >= static_cast<std::int64_t>(kTokensMax))
        return wrong(path, "expected the number of a token");
    return static_cast<TokenId>(value->get_int64());
}

Result<std::vector<Node>> Node::list(std::size_t most) const {
    if (value == nullptr || !value->is_array()) return wrong(path, "expected a list");
    const json::Array& array = value->get_array();
    if (array.size() > most)
        return wrong(path, "has more than " + std::to_string(most) + " entries");
    std::vector<Node> nodes;
    nodes.reserve(array.size());
    for (std::size_t i = 0; i < array.size(); ++i)
        nodes.push_back({&array[i], path + "[" + std::to_string(i) + "]"});
    return nodes;
}

bool Node::is(std::string_view type) const {
    const Node named = at("type");
    return named.value != nullptr && named.value->is_string() && named.value->get_string() == type;
}

}  // namespace penstock::tokenizer
