// SPDX-License-Identifier: Apache-2.0
#include "dialects/fields.h"

namespace penstock::dialects {

Fields::Fields(Json value, std::string path, Trouble& trouble)
    : path_(std::move(path)), trouble_(trouble) {
    if (Json::Object* object = value.if_object())
        object_ = std::move(*object);
    else
        trouble_.add(path_, "expected an object");
}

std::string Fields::at(std::string_view key) const { return member_path(path_, key); }

void Fields::wrong(std::string_view key, std::string_view expected) {
    trouble_.add(at(key), "expected " + std::string(expected));
}

std::optional<Json> Fields::take(std::string_view key) {
    std::optional<Json> value = dialects::take(object_, key);
    if (!value || !value->is_null()) return value;
    put(shape_, key, nullptr);
    return std::nullopt;
}

std::optional<std::string> Fields::text(std::string_view key) {
    const std::optional<Json> value = take(key);
    if (!value) return std::nullopt;
    if (const std::string* text = value->if_string()) return *text;
    wrong(key, "a string");
    return std::nullopt;
}

std::optional<std::int64_t> Fields::integer(std::string_view key) {
    const std::optional<Json> value = take(key);
    if (!value) return std::nullopt;
    const std::optional<std::int64_t> number = value->if_integer();
    if (!number) wrong(key, "a whole number");
    return number;
}

std::optional<bool> Fields::boolean(std::string_view key) {
    const std::optional<Json> value = take(key);
    if (!value) return std::nullopt;
    if (const bool* flag = value->if_bool()) return *flag;
    wrong(key, "true or false");
    return std::nullopt;
}

std::optional<Json> Fields::number(std::string_view key) {
    std::optional<Json> value = take(key);
    if (value && value->kind() != Json::Kind::number) wrong(key, "a number");
    return value;
}

std::optional<Json::Array> Fields::array(std::string_view key) {
    std::optional<Json> value = take(key);
    if (!value) return std::nullopt;
    if (Json::Array* array = value->if_array()) return std::move(*array);
    wrong(key, "an array");
    return std::nullopt;
}

std::optional<Json::Object> Fields::object(std::string_view key) {
    std::optional<Json> value = take(key);
    if (!value) return std::nullopt;
    if (Json::Object* object = value->if_object()) return std::move(*object);
    wrong(key, "an object");
    return std::nullopt;
}

std::string Fields::need_text(std::string_view key) {
    if (!has(key)) trouble_.add(at(key), "'" + std::string(key) + "' is missing");
    return text(key).value_or("");
}

void Fields::shape(std::initializer_list<std::string_view> keys) {
    for (const std::string_view key : keys)
        if (std::optional<Json> value = dialects::take(object_, key))
            put(shape_, key, *std::move(value));
}

void Fields::shape_if(std::string_view key, const Json& usual) {
    const Json* value = find(object_, key);
    if (value != nullptr && *value == usual) shape({key});
}

void Fields::finish(Extras& extras) {
    for (Member& member : object_)
        put(member.value.is_null() ? shape_ : extras.native, member.key, std::move(member.value));
    merge(extras.shape, shape_);
    extras.path = path_;
}

std::string index_path(std::string_view path, std::size_t index) {
    return std::string(path) + "[" + std::to_string(index) + "]";
}

std::string member_path(std::string_view path, std::string_view member) {
    return path.empty() ? std::string(member) : std::string(path) + "." + std::string(member);
}

void Writer::lose(const Extras& node, std::string_view member) {
    lose(member_path(node.path, member));
}

void Writer::extras(Json::Object& out, const Extras& node) {
    if (!same_) return lose_natives(node);
    merge(out, node.native);
    merge(out, node.shape);
}

bool says_nothing(const Json& value) {
    const bool* flag = value.if_bool();
    const std::string* text = value.if_string();
    const Json::Array* list = value.if_array();
    const Json::Object* object = value.if_object();
    return value.is_null() || (flag != nullptr && !*flag) || (text != nullptr && text->empty()) ||
           (list != nullptr && list->empty()) || (object != nullptr && object->empty());
}

void Writer::around(Json::Object& out, const Extras& node) {
    if (same_) return extras(out, node);
    // The message is the answer itself: lose_message() names what it loses.
    for (const Member& member : node.native)
        if (member.key != "message" && !says_nothing(member.value))
            leave_out(member_path(node.path, member.key));
}

void Writer::lose_natives(const Extras& node) {
    for (const Member& member : node.native)
        if (!answers() || !says_nothing(member.value)) lose(node, member.key);
    for (const std::string& place : node.lost) lose(place);
}

}  // namespace penstock::dialects
