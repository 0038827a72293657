// SPDX-License-Identifier: Apache-2.0
#pragma once

// Codecs of what structs are made of: scalars, times, money, ids, lists and maps. Part of
// json/codec.h.
#include <array>
#include <boost/json.hpp>
#include <charconv>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "base/id.h"
#include "base/money.h"
#include "base/time.h"
#include "json/json.h"

namespace penstock::json {

// Where in the input the decoder stands; rendered only when something is wrong.
struct Path {
    const Path* parent = nullptr;
    std::string_view key = {};
    std::size_t index = 0;
};
std::string render(const Path* path);

// Collects mistakes, each with its path; further ones are counted but not kept.
class Problems {
  public:
    void add(const Path* path, std::string message);
    // For a mistake found after decoding, with the field written out.
    void add(std::string field, std::string message);
    bool empty() const { return errors_.empty(); }
    // For answers of another version: what it says beyond what is known here is left out.
    void ignore_unknown_fields() { ignores_unknown_ = true; }
    bool ignores_unknown_fields() const { return ignores_unknown_; }
    std::vector<Error> take() { return std::move(errors_); }

  private:
    std::vector<Error> errors_;
    bool ignores_unknown_ = false;
};

// "expected integer, got string" and the like.
std::string wrong_kind(std::string_view expected, const Value& got);
// " (did you mean 'cpus'?)" or nothing.
std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& known);
std::string upper_case(std::string_view name);
// The shortest decimal text of a number, without an exponent where that is possible: 0.5, 32.
std::string decimal_text(double number);
// As print_value() writes a string with its quotes, and a number.
void print_string(std::string_view text, std::string& out);
void print_number(double number, std::string& out);

// How a type becomes a tree (`encode`), text (`print`; where a codec has none, by its tree), and
// back.
template <class T>
struct Codec;

template <class T>
void print_to(const T& value, std::string& out) {
    if constexpr (requires { Codec<T>::print(value, out); })
        Codec<T>::print(value, out);
    else
        out += print_value(Codec<T>::encode(value));
}

template <std::integral T>
void print_integer(T value, std::string& out) {
    std::array<char, std::numeric_limits<T>::digits10 + 2> buffer{};
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
    out.append(buffer.data(), end);
}

template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};

template <>
struct Codec<bool> {
    static Value encode(bool value) { return value; }
    static void print(bool value, std::string& out) { out += value ? "true" : "false"; }
    static void decode(const Value& value, bool& out, const Path* path, Problems& problems) {
        if (const bool* flag = value.if_bool())
            out = *flag;
        else
            problems.add(path, wrong_kind("true or false", value));
    }
    static Value schema(Object&) { return {{"type", "boolean"}}; }
};

template <std::integral T>
struct Codec<T> {
    static Value encode(T value) { return value; }
    static void print(T value, std::string& out) { print_integer(value, out); }
    static void decode(const Value& value, T& out, const Path* path, Problems& problems) {
        boost::json::error_code error;
        if (!value.is_int64() && !value.is_uint64())
            return problems.add(path, wrong_kind("integer", value));
        const T number = value.to_number<T>(error);
        if (error)
            return problems.add(
                path, "expected an integer from " + std::to_string(std::numeric_limits<T>::min()) +
                          " to " + std::to_string(std::numeric_limits<T>::max())
            );
        out = number;
    }
    static Value schema(Object&) {
        Object schema{{"type", "integer"}};
        if constexpr (sizeof(T) == 8) schema["format"] = "int64";
        if constexpr (std::is_unsigned_v<T>) schema["minimum"] = 0;
        return schema;
    }
};

template <>
struct Codec<double> {
    static Value encode(double value) { return value; }
    static void print(double value, std::string& out) { print_number(value, out); }
    static void decode(const Value& value, double& out, const Path* path, Problems& problems) {
        boost::json::error_code error;
        const double number = value.is_number() ? value.to_number<double>(error) : 0;
        if (!value.is_number() || error) return problems.add(path, wrong_kind("number", value));
        out = number;
    }
    static Value schema(Object&) { return {{"type", "number"}}; }
};

template <>
struct Codec<std::string> {
    static Value encode(const std::string& value) { return boost::json::string(value); }
    static void print(const std::string& value, std::string& out) { print_string(value, out); }
    static void decode(const Value& value, std::string& out, const Path* path, Problems& problems) {
        if (const auto* text = value.if_string())
            out.assign(text->data(), text->size());
        else
            problems.add(path, wrong_kind("string", value));
    }
    static Value schema(Object&) { return {{"type", "string"}}; }
};

// A type written as a string: `parse` and `print` in the shape of base's own functions.
template <class T, class Parse>
void decode_text(const Value& value, T& out, const Path* path, Problems& problems, Parse parse) {
    const auto* text = value.if_string();
    if (text == nullptr) return problems.add(path, wrong_kind("string", value));
    Result<T> result = parse(std::string_view(text->data(), text->size()));
    if (result)
        out = *std::move(result);
    else
        problems.add(path, std::move(result.error().message));
}

template <>
struct Codec<Money> {
    static Value encode(Money value) { return boost::json::string(::penstock::to_string(value)); }
    static void print(Money value, std::string& out) {
        print_string(::penstock::to_string(value), out);
    }
    static void decode(const Value& value, Money& out, const Path* path, Problems& problems) {
        decode_text(value, out, path, problems, [](std::string_view t) { return parse_money(t); });
    }
    static Value schema(Object&) {
        return {{"type", "string"}, {"format", "decimal"}, {"examples", {"12.50"}}};
    }
};
template <>
struct Codec<Price> {
    static Value encode(const Price& value) {
        return boost::json::string(::penstock::to_string(value));
    }
    static void print(const Price& value, std::string& out) {
        print_string(::penstock::to_string(value), out);
    }
    static void decode(const Value& value, Price& out, const Path* path, Problems& problems) {
        decode_text(value, out, path, problems, [](std::string_view t) { return parse_price(t); });
    }
    static Value schema(Object&) {
        return {{"type", "string"}, {"format", "decimal"}, {"examples", {"0.0001"}}};
    }
};
template <>
struct Codec<Time> {
    static Value encode(Time value) { return boost::json::string(to_rfc3339(value)); }
    static void print(Time value, std::string& out) { print_string(to_rfc3339(value), out); }
    static void decode(const Value& value, Time& out, const Path* path, Problems& problems) {
        decode_text(value, out, path, problems, [](std::string_view t) {
            return parse_rfc3339(t);
        });
    }
    static Value schema(Object&) { return {{"type", "string"}, {"format", "date-time"}}; }
};
template <>
struct Codec<Duration> {
    static Value encode(Duration value) {
        return boost::json::string(::penstock::to_string(value));
    }
    static void print(Duration value, std::string& out) {
        print_string(::penstock::to_string(value), out);
    }
    static void decode(const Value& value, Duration& out, const Path* path, Problems& problems) {
        decode_text(value, out, path, problems, [](std::string_view t) {
            return parse_duration(t);
        });
    }
    static Value schema(Object&) {
        return {{"type", "string"}, {"pattern", "^([0-9]+(us|ms|s|m|h|d))+$"}};
    }
};
template <class Tag>
struct Codec<Id<Tag>> {
    static Value encode(const Id<Tag>& value) {
        return boost::json::string(::penstock::to_string(value));
    }
    static void print(const Id<Tag>& value, std::string& out) {
        print_string(::penstock::to_string(value), out);
    }
    static void decode(const Value& value, Id<Tag>& out, const Path* path, Problems& problems) {
        decode_text(value, out, path, problems, [](std::string_view t) {
            return Id<Tag>::parse(t);
        });
    }
    static Value schema(Object&) {
        return {
            {"type", "string"},
            {"pattern", "^" + std::string(Tag::kPrefix) + "_[0-9a-hjkmnp-tv-z]{26}$"}
        };
    }
};
template <>
struct Codec<Text> {
    static Value encode(const Text& value) {
        Result<Value> parsed = parse_value(value.text);
        return parsed ? *std::move(parsed) : Value(value.text);
    }
    static void decode(const Value& value, Text& out, const Path*, Problems&) {
        out.text = print_value(value);
    }
    static Value schema(Object&) { return Object{}; }
};

template <class T>
struct Codec<std::optional<T>> {
    static Value encode(const std::optional<T>& value) {
        return value ? Codec<T>::encode(*value) : Value(nullptr);
    }
    static void print(const std::optional<T>& value, std::string& out) {
        if (value)
            print_to(*value, out);
        else
            out += "null";
    }
    static void decode(
        const Value& value, std::optional<T>& out, const Path* path, Problems& problems
    ) {
        if (value.is_null()) return out.reset();
        Codec<T>::decode(value, out.emplace(), path, problems);
    }
    static Value schema(Object& definitions) { return Codec<T>::schema(definitions); }
};

template <class T>
struct Codec<std::vector<T>> {
    static Value encode(const std::vector<T>& value) {
        Array array;
        array.reserve(value.size());
        for (const T& item : value) array.push_back(Codec<T>::encode(item));
        return array;
    }
    static void print(const std::vector<T>& value, std::string& out) {
        out += '[';
        bool first = true;
        for (const T& item : value) {
            if (!std::exchange(first, false)) out += ',';
            print_to(item, out);
        }
        out += ']';
    }
    static void decode(
        const Value& value, std::vector<T>& out, const Path* path, Problems& problems
    ) {
        const Array* array = value.if_array();
        if (array == nullptr) return problems.add(path, wrong_kind("list", value));
        out.clear();
        out.reserve(array->size());
        for (std::size_t i = 0; i < array->size(); ++i) {
            const Path item{path, {}, i};
            T element{};
            Codec<T>::decode((*array)[i], element, &item, problems);
            out.push_back(std::move(element));
        }
    }
    static Value schema(Object& definitions) {
        return {{"type", "array"}, {"items", Codec<T>::schema(definitions)}};
    }
};

template <class T>
struct Codec<std::map<std::string, T>> {
    static Value encode(const std::map<std::string, T>& value) {
        Object object;
        for (const auto& [key, item] : value) object.emplace(key, Codec<T>::encode(item));
        return object;
    }
    static void print(const std::map<std::string, T>& value, std::string& out) {
        out += '{';
        bool first = true;
        for (const auto& [key, item] : value) {
            if (!std::exchange(first, false)) out += ',';
            print_string(key, out);
            out += ':';
            print_to(item, out);
        }
        out += '}';
    }
    static void decode(
        const Value& value, std::map<std::string, T>& out, const Path* path, Problems& problems
    ) {
        const Object* object = value.if_object();
        if (object == nullptr) return problems.add(path, wrong_kind("object", value));
        out.clear();
        for (const auto& [key, item] : *object) {
            const Path member{path, key};
            Codec<T>::decode(item, out[std::string(key)], &member, problems);
        }
    }
    static Value schema(Object& definitions) {
        return {{"type", "object"}, {"additionalProperties", Codec<T>::schema(definitions)}};
    }
};

}  // namespace penstock::json
