// SPDX-License-Identifier: Apache-2.0
#include "dialects/json_tree.h"

#include <algorithm>
#include <charconv>

#include "routing/json_scanner.h"

namespace penstock::dialects {
namespace {

using routing::JsonScanner;

class TreeReader {
  public:
    TreeReader(std::string_view text, JsonScanner::Text mode) : scan_(text, mode) {}

    Result<Json> run() {
        Json value = read();
        if (repeated_)
            return fail_field(
                ErrorCode::invalid_argument, *repeated_, "'" + *repeated_ + "' appears twice"
            );
        if (!scan_.finish())
            return fail(ErrorCode::invalid_argument, "not valid JSON: " + scan_.problem());
        return value;
    }

  private:
    // As deep as JsonScanner::kDepthMax at most.
    Json read() {
        switch (scan_.peek()) {
            case JsonScanner::Kind::object:
                return read_object();
            case JsonScanner::Kind::array:
                return read_array();
            case JsonScanner::Kind::string: {
                JsonScanner::String value;
                return scan_.read_string(value) ? Json(scan_.decode(value)) : Json();
            }
            case JsonScanner::Kind::number: {
                routing::Span span;
                return scan_.skip(&span) ? Json::number(std::string(scan_.raw(span))) : Json();
            }
            case JsonScanner::Kind::boolean: {
                const std::optional<bool> value = scan_.read_boolean();
                return value ? Json(*value) : Json();
            }
            case JsonScanner::Kind::null:
            case JsonScanner::Kind::none:
                break;
        }
        scan_.skip();
        return {};
    }

    Json read_object() {
        Json::Object members;
        scan_.enter_object();
        JsonScanner::String key;
        while (scan_.next_member(key)) {
            std::string name = scan_.decode(key);
            members.push_back({std::move(name), read()});
        }
        check_names(members);
        return members;
    }

    Json read_array() {
        Json::Array elements;
        scan_.enter_array();
        while (scan_.next_element()) elements.push_back(read());
        return elements;
    }

    void check_names(const Json::Object& members) {
        std::vector<std::string_view> names;
        names.reserve(members.size());
        for (const Member& member : members) names.emplace_back(member.key);
        std::ranges::sort(names);
        const auto twice = std::ranges::adjacent_find(names);
        if (twice != names.end() && !repeated_) repeated_ = std::string(*twice);
    }

    JsonScanner scan_;
    std::optional<std::string> repeated_;
};

void print(const Json& value, std::string& out) {
    switch (value.kind()) {
        case Json::Kind::null:
            out += "null";
            return;
        case Json::Kind::boolean:
            out += *value.if_bool() ? "true" : "false";
            return;
        case Json::Kind::number:
            out += value.number_text();
            return;
        case Json::Kind::string:
            routing::append_json_string(out, *value.if_string());
            return;
        case Json::Kind::array: {
            out += '[';
            for (const Json& element : *value.if_array()) {
                if (out.back() != '[') out += ',';
                print(element, out);
            }
            out += ']';
            return;
        }
        case Json::Kind::object: {
            out += '{';
            for (const Member& member : *value.if_object()) {
                if (out.back() != '{') out += ',';
                routing::append_json_string(out, member.key);
                out += ':';
                print(member.value, out);
            }
            out += '}';
            return;
        }
    }
}

bool equal_objects(const Json::Object& a, const Json::Object& b) {
    return a.size() == b.size() && std::ranges::all_of(a, [&](const Member& member) {
               const Json* other = find(b, member.key);
               return other != nullptr && *other == member.value;
           });
}

}  // namespace

Json::Json() = default;
Json::Json(const Json& other) = default;
Json::Json(Json&& other) noexcept = default;
Json& Json::operator=(const Json& other) = default;
Json& Json::operator=(Json&& other) noexcept = default;
Json::~Json() = default;
Json::Json(std::nullptr_t) {}
Json::Json(bool value) : value_(value) {}
Json::Json(int value) : value_(Number{std::to_string(value)}) {}
Json::Json(std::int64_t value) : value_(Number{std::to_string(value)}) {}
Json::Json(std::string value) : value_(std::move(value)) {}
Json::Json(std::string_view value) : value_(std::string(value)) {}
Json::Json(const char* value) : value_(std::string(value)) {}
Json::Json(Array value) : value_(std::move(value)) {}
Json::Json(Object value) : value_(std::move(value)) {}

Json Json::number(std::string written) {
    Json value;
    value.value_ = Number{std::move(written)};
    return value;
}

std::optional<std::int64_t> Json::if_integer() const {
    const std::string_view text = number_text();
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc() || end != text.data() + text.size())
        return std::nullopt;
    return value;
}

std::string_view Json::number_text() const {
    const auto* number = std::get_if<Number>(&value_);
    return number == nullptr ? std::string_view() : number->written;
}

const Json* Json::find(std::string_view key) const {
    const Object* object = if_object();
    return object == nullptr ? nullptr : dialects::find(*object, key);
}

bool operator==(const Json& a, const Json& b) {
    if (a.kind() != b.kind()) return false;
    if (const Json::Object* object = a.if_object()) return equal_objects(*object, *b.if_object());
    if (const Json::Array* array = a.if_array()) return std::ranges::equal(*array, *b.if_array());
    if (a.if_string() != nullptr) return *a.if_string() == *b.if_string();
    if (a.if_bool() != nullptr) return *a.if_bool() == *b.if_bool();
    return a.number_text() == b.number_text();
}

const Json* find(const Json::Object& object, std::string_view key) {
    const auto found = std::ranges::find(object, key, &Member::key);
    return found == object.end() ? nullptr : &found->value;
}

Json* find(Json::Object& object, std::string_view key) {
    const auto found = std::ranges::find(object, key, &Member::key);
    return found == object.end() ? nullptr : &found->value;
}

std::optional<Json> take(Json::Object& object, std::string_view key) {
    const auto found = std::ranges::find(object, key, &Member::key);
    if (found == object.end()) return std::nullopt;
    Json value = std::move(found->value);
    object.erase(found);
    return value;
}

void put(Json::Object& object, std::string_view key, Json value) {
    if (Json* there = find(object, key))
        *there = std::move(value);
    else
        object.push_back({std::string(key), std::move(value)});
}

void merge(Json::Object& object, const Json::Object& more) {
    for (const Member& member : more) {
        Json* there = find(object, member.key);
        if (there == nullptr)
            object.push_back(member);
        else if (there->if_object() != nullptr && member.value.if_object() != nullptr)
            merge(*there->if_object(), *member.value.if_object());
    }
}

Result<Json> parse_json(std::string_view text, JsonFrom from) {
    const bool strict = from == JsonFrom::client;
    return TreeReader(text, strict ? JsonScanner::Text::strict : JsonScanner::Text::lenient).run();
}

std::string print_json(const Json& value) {
    std::string out;
    print(value, out);
    return out;
}

}  // namespace penstock::dialects
