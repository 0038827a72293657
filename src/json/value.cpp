// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <charconv>
#include <cmath>
#include <cstring>
#include <optional>
#include <utility>

#include "json/codec.h"
#include "json/exact_parser.h"

namespace penstock::json {
namespace {

bool needs_escape(unsigned char byte) { return byte < 0x20 || byte == '"' || byte == '\\'; }

// The first byte from `at` on that a string cannot hold as it is; the text's size where none is.
std::size_t first_to_escape(std::string_view text, std::size_t at) {
    constexpr std::uint64_t kOnes = 0x0101010101010101ULL;
    constexpr std::uint64_t kHighs = 0x8080808080808080ULL;
    const auto zero_byte = [](std::uint64_t word) { return (word - kOnes) & ~word & kHighs; };
    // Eight bytes at a time; a borrow can only name a byte above one that was found.
    for (std::uint64_t word = 0; at + sizeof word <= text.size(); at += sizeof word) {
        std::memcpy(&word, text.data() + at, sizeof word);
        const std::uint64_t control = (word - kOnes * 0x20) & ~word & kHighs;
        if ((control | zero_byte(word ^ kOnes * '"') | zero_byte(word ^ kOnes * '\\')) != 0) break;
    }
    while (at < text.size() && !needs_escape(static_cast<unsigned char>(text[at]))) ++at;
    return at;
}

}  // namespace

// Boost.JSON writes every double with an exponent, 1E-1; people and other programs expect 0.1.
void print_number(double number, std::string& out) {
    constexpr std::size_t kTextMax = 32;
    std::array<char, kTextMax> buffer{};
    const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number);
    if (error != std::errc() || !std::isfinite(number)) {
        out += boost::json::serialize(Value(number));
        return;
    }
    const std::string_view text(buffer.data(), static_cast<std::size_t>(end - buffer.data()));
    out += text;
    // 1.0 stays a number with a fraction, so that reading it again gives the same tree.
    if (text.find_first_of(".e") == std::string_view::npos) out += ".0";
}

void print_string(std::string_view text, std::string& out) {
    constexpr std::string_view kHex = "0123456789abcdef";
    out += '"';
    std::size_t plain = 0;  // from here on nothing needs an escape
    for (std::size_t at = first_to_escape(text, 0); at < text.size();
         at = first_to_escape(text, at + 1)) {
        const auto byte = static_cast<unsigned char>(text[at]);
        out.append(text.substr(plain, at - plain));
        plain = at + 1;
        switch (byte) {
            case '"':
                out += "\\\"";
                break;
            case '\\':
                out += "\\\\";
                break;
            case '\b':
                out += "\\b";
                break;
            case '\f':
                out += "\\f";
                break;
            case '\n':
                out += "\\n";
                break;
            case '\r':
                out += "\\r";
                break;
            case '\t':
                out += "\\t";
                break;
            default:
                out.append("\\u00").append(1, kHex[byte >> 4U]).append(1, kHex[byte & 15U]);
        }
    }
    out.append(text.substr(plain)).append(1, '"');
}

namespace {

bool holds_double(const Value& value) {
    if (const Object* object = value.if_object())
        return std::ranges::any_of(*object, [](const auto& each) {
            return holds_double(each.value());
        });
    if (const Array* array = value.if_array()) return std::ranges::any_of(*array, holds_double);
    return value.is_double();
}

void print_compact(const Value& value, std::string& out) {
    if (const double* number = value.if_double()) return print_number(*number, out);
    if (const Object* object = value.if_object()) {
        out += '{';
        bool first = true;
        for (const auto& [key, member] : *object) {
            if (!std::exchange(first, false)) out += ',';
            print_string(key, out);
            out += ':';
            print_compact(member, out);
        }
        out += '}';
    } else if (const Array* array = value.if_array()) {
        out += '[';
        bool first = true;
        for (const Value& item : *array) {
            if (!std::exchange(first, false)) out += ',';
            print_compact(item, out);
        }
        out += ']';
    } else {
        out += boost::json::serialize(value);
    }
}

void print_indented(const Value& value, std::string& out, std::size_t indent) {
    const auto newline = [&](std::size_t by) { out.append("\n").append(by, ' '); };
    if (const Object* object = value.if_object(); object != nullptr && !object->empty()) {
        out += '{';
        bool first = true;
        for (const auto& [key, member] : *object) {
            if (!std::exchange(first, false)) out += ',';
            newline(indent + 2);
            out += boost::json::serialize(boost::json::string(key)) + ": ";
            print_indented(member, out, indent + 2);
        }
        newline(indent);
        out += '}';
    } else if (const Array* array = value.if_array(); array != nullptr && !array->empty()) {
        out += '[';
        bool first = true;
        for (const Value& item : *array) {
            if (!std::exchange(first, false)) out += ',';
            newline(indent + 2);
            print_indented(item, out, indent + 2);
        }
        newline(indent);
        out += ']';
    } else {
        print_compact(value, out);
    }
}

// Boost.JSON keeps the last of two equal keys; a text that says a thing twice is refused here. The
// text has been parsed before, so brackets and quotes are known to match.
class DuplicateKeys {
  public:
    explicit DuplicateKeys(std::string_view text) : text_(text) {}
    // The first repeated key, or nothing.
    const std::optional<std::string>& find() {
        for (std::size_t at = 0; at < text_.size() && !repeated_; ++at) step(at);
        return repeated_;
    }

  private:
    struct Level {
        bool object = false;
        bool key_next = false;
        std::vector<std::string_view> keys = {};
    };
    static constexpr std::size_t kLinearMax = 64;

    void step(std::size_t& at) {
        const char c = text_[at];
        if (c == '{') levels_.push_back({true, true});
        if (c == '[') levels_.push_back({false, false});
        if (c == '}' || c == ']') levels_.pop_back();
        if (c == ',' && !levels_.empty()) levels_.back().key_next = levels_.back().object;
        if (c != '"') return;
        const std::size_t first = ++at;
        while (text_[at] != '"') at += text_[at] == '\\' ? 2 : 1;
        if (levels_.empty() || !levels_.back().key_next) return;
        Level& level = levels_.back();
        level.key_next = false;
        const std::string_view key = text_.substr(first, at - first);
        // Wide objects are left to the parser's own map: a quadratic search would be an attack.
        if (level.keys.size() < kLinearMax &&
            std::ranges::find(level.keys, key) != level.keys.end())
            repeated_ = std::string(key);
        if (level.keys.size() < kLinearMax) level.keys.push_back(key);
    }

    std::string_view text_;
    std::vector<Level> levels_;
    std::optional<std::string> repeated_;
};

}  // namespace

Result<Value> parse_value(std::string_view text) {
    Value value;
    boost::json::error_code error;
    const std::size_t used = parse_exact(text, kDepthMax, value, error);
    if (!error && used < text.size() &&
        text.find_first_not_of(" \t\r\n", used) != std::string_view::npos)
        error = boost::json::error::extra_data;
    if (error) {
        const std::string_view before = text.substr(0, used);
        const auto line = 1 + std::ranges::count(before, '\n');
        const auto column = used - (before.rfind('\n') + 1) + 1;
        return fail(
            ErrorCode::invalid_argument, "not valid JSON at line " + std::to_string(line) +
                                             ", column " + std::to_string(column) + ": " +
                                             error.message()
        );
    }
    DuplicateKeys duplicates(text);
    if (const std::optional<std::string>& key = duplicates.find())
        return fail(
            ErrorCode::invalid_argument, "the key '" + *key + "' stands twice in one object"
        );
    return value;
}

std::string print_value(const Value& value) {
    if (!holds_double(value)) return boost::json::serialize(value);
    std::string out;
    print_compact(value, out);
    return out;
}

std::string print_value_pretty(const Value& value) {
    std::string out;
    print_indented(value, out, 0);
    return out;
}

}  // namespace penstock::json
