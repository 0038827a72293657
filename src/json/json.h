// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/json/fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

// Strict JSON for described structs. This header is light: it names the functions. A .cpp that
// includes json/codec.h and says JSON_INSTANTIATE(Type) makes them exist for a type.
namespace penstock::json {

using Value = boost::json::value;
using Object = boost::json::object;
using Array = boost::json::array;

constexpr std::size_t kDepthMax = 64;
constexpr std::size_t kProblemsMax = 32;

// Text to tree. Errors name line and column. Refuses duplicate keys, invalid UTF-8, comments,
// anything after the value, and more than kDepthMax levels.
Result<Value> parse_value(std::string_view text);
std::string print_value(const Value& value);
std::string print_value_pretty(const Value& value);

// Struct to tree and back. decode() is strict: an unknown field, a missing one (unless optional or
// the struct says `kJsonDefaults`) and a wrong type are errors that name the path.
template <class T>
Value encode(const T& value);
template <class T>
Result<T> decode(const Value& value);
// As decode, but reports every mistake (at most kProblemsMax), for files written by people.
template <class T>
std::expected<T, std::vector<Error>> decode_all(const Value& value);

// The same from and to text.
template <class T>
std::string print(const T& value);
template <class T>
Result<T> parse(std::string_view text);
template <class T>
std::expected<T, std::vector<Error>> parse_all(std::string_view text);

// A subtree that is kept as it came: labels, free-form configuration, recorded bodies.
struct Text {
    std::string text = "null";
    bool operator==(const Text&) const = default;
};

// JSON Schema (2020-12) of T; nested described structs become "$ref": "#/components/schemas/Name"
// and are added to `definitions` under that name. Explicitly instantiated with the codec.
template <class T>
Value schema(Object& definitions);

}  // namespace penstock::json
