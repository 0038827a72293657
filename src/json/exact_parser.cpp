// SPDX-License-Identifier: Apache-2.0
#include "json/exact_parser.h"

#include <boost/json.hpp>
#include <boost/json/basic_parser_impl.hpp>
#include <charconv>

namespace penstock::json {
namespace {

using boost::json::error_code;
using Text = boost::json::string_view;

// What basic_parser calls for each part of a text; it builds the value.
struct Builder {
    static constexpr std::size_t max_object_size = boost::json::object::max_size();
    static constexpr std::size_t max_array_size = boost::json::array::max_size();
    static constexpr std::size_t max_key_size = boost::json::string::max_size();
    static constexpr std::size_t max_string_size = boost::json::string::max_size();

    bool on_document_begin(error_code&) { return true; }
    bool on_document_end(error_code&) { return true; }
    bool on_object_begin(error_code&) { return true; }
    bool on_array_begin(error_code&) { return true; }
    bool on_object_end(std::size_t count, error_code&) {
        stack.push_object(count);
        return true;
    }
    bool on_array_end(std::size_t count, error_code&) {
        stack.push_array(count);
        return true;
    }
    bool on_key_part(Text part, std::size_t, error_code&) {
        stack.push_chars(part);
        return true;
    }
    bool on_key(Text last, std::size_t, error_code&) {
        stack.push_key(last);
        return true;
    }
    bool on_string_part(Text part, std::size_t, error_code&) {
        stack.push_chars(part);
        return true;
    }
    bool on_string(Text last, std::size_t, error_code&) {
        stack.push_string(last);
        return true;
    }
    bool on_number_part(Text part, error_code&) {
        number.append(part.data(), part.size());
        return true;
    }
    bool on_int64(std::int64_t value, Text, error_code&) {
        number.clear();
        stack.push_int64(value);
        return true;
    }
    bool on_uint64(std::uint64_t value, Text, error_code&) {
        number.clear();
        stack.push_uint64(value);
        return true;
    }
    bool on_double(double value, Text last, error_code&) {
        number.append(last.data(), last.size());
        double exact = 0;
        const auto [end, error] =
            std::from_chars(number.data(), number.data() + number.size(), exact);
        // Out of range: what the parser made of it, zero or infinity.
        const bool read = error == std::errc() && end == number.data() + number.size();
        stack.push_double(read ? exact : value);
        number.clear();
        return true;
    }
    bool on_bool(bool value, error_code&) {
        stack.push_bool(value);
        return true;
    }
    bool on_null(error_code&) {
        stack.push_null();
        return true;
    }
    bool on_comment_part(Text, error_code&) { return true; }
    bool on_comment(Text, error_code&) { return true; }

    boost::json::value_stack stack;
    std::string number;  // what was read of one so far
};

}  // namespace

std::size_t parse_exact(
    std::string_view text, std::size_t depth_max, Value& value, error_code& error
) {
    boost::json::parse_options options;
    options.max_depth = depth_max;
    boost::json::basic_parser<Builder> parser(options);
    parser.handler().stack.reset();
    const std::size_t used = parser.write_some(false, text.data(), text.size(), error);
    if (!error && parser.done()) value = parser.handler().stack.release();
    return used;
}

}  // namespace penstock::json
