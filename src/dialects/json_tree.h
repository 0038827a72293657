// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace penstock::dialects {

struct Member;

// A JSON value that keeps what converters must not change: the order of members, and numbers as
// they were written ("1.0", "12345678901234567890123"). Plain data; copies are deep.
class Json {
  public:
    enum class Kind : std::uint8_t { null, boolean, number, string, array, object };
    using Array = std::vector<Json>;
    using Object = std::vector<Member>;

    Json();
    Json(const Json& other);
    Json(Json&& other) noexcept;
    Json& operator=(const Json& other);
    Json& operator=(Json&& other) noexcept;
    ~Json();
    // Implicit, so that a document reads like one: Object{{"type", "text"}, {"text", text}}.
    Json(std::nullptr_t);
    Json(bool value);
    Json(int value);
    Json(std::int64_t value);
    Json(std::string value);
    Json(std::string_view value);
    Json(const char* value);
    Json(Array value);
    Json(Object value);
    static Json number(std::string written);

    Kind kind() const { return static_cast<Kind>(value_.index()); }
    bool is_null() const { return kind() == Kind::null; }
    const bool* if_bool() const { return std::get_if<bool>(&value_); }
    const std::string* if_string() const { return std::get_if<std::string>(&value_); }
    const Array* if_array() const { return std::get_if<Array>(&value_); }
    Array* if_array() { return std::get_if<Array>(&value_); }
    const Object* if_object() const { return std::get_if<Object>(&value_); }
    Object* if_object() { return std::get_if<Object>(&value_); }
    // Nothing where it is no whole number of 64 bits.
    std::optional<std::int64_t> if_integer() const;
    // As written; empty where it is no number.
    std::string_view number_text() const;
    // Nothing where this is no object or has no such member.
    const Json* find(std::string_view key) const;

    // JSON's own equality: the order of members does not count.
    friend bool operator==(const Json& a, const Json& b);

  private:
    struct Number {
        std::string written;
        bool operator==(const Number&) const = default;
    };
    std::variant<std::nullptr_t, bool, Number, std::string, Array, Object> value_;
};

struct Member {
    std::string key;
    Json value;
};

// Members of an object; nothing where there is none of that name.
const Json* find(const Json::Object& object, std::string_view key);
Json* find(Json::Object& object, std::string_view key);
// Removes and returns it.
std::optional<Json> take(Json::Object& object, std::string_view key);
// Replaces it, or adds it at the end.
void put(Json::Object& object, std::string_view key, Json value);
// Adds what `object` lacks; objects on both sides are merged in the same way.
void merge(Json::Object& object, const Json::Object& more);

// invalid_argument where it is not JSON or an object names a member twice. Strings of clients must
// be valid UTF-8; those of engines are forgiven it.
enum class JsonFrom : std::uint8_t { client, engine };
Result<Json> parse_json(std::string_view text, JsonFrom from = JsonFrom::client);
std::string print_json(const Json& value);

}  // namespace penstock::dialects
