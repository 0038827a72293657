// SPDX-License-Identifier: Apache-2.0
#include "dialects/splice.h"

namespace penstock::dialects {
namespace {

using routing::JsonScanner;

struct Found {
    std::size_t inside = 0;  // where the object's first member would stand
    bool empty = true;
    std::optional<routing::Span> value;
};

// Nothing: the body is no object.
std::optional<Found> look_for(std::string_view body, std::string_view key) {
    JsonScanner scan(body, JsonScanner::Text::lenient);
    if (scan.peek() != JsonScanner::Kind::object || !scan.enter_object()) return std::nullopt;
    Found found{.inside = scan.offset()};
    JsonScanner::String name;
    while (scan.next_member(name)) {
        found.empty = false;
        routing::Span value;
        scan.peek();  // past the white space in front of it
        if (!scan.skip(&value)) break;
        if (!scan.equals(name, key)) continue;
        found.value = value;
        return found;
    }
    if (scan.failed()) return std::nullopt;
    return found;
}

}  // namespace

std::optional<routing::Span> member_span(std::string_view body, std::string_view key) {
    const std::optional<Found> found = look_for(body, key);
    return found ? found->value : std::nullopt;
}

std::string with_member(std::string_view body, std::string_view key, std::string_view json) {
    const std::optional<Found> found = look_for(body, key);
    if (!found) return std::string(body);
    std::string out;
    out.reserve(body.size() + key.size() + json.size() + 8);
    if (found->value) {
        out.append(body, 0, found->value->begin).append(json).append(body, found->value->end);
        return out;
    }
    out.append(body, 0, found->inside);
    routing::append_json_string(out, key);
    out.append(":").append(json).append(found->empty ? "" : ",").append(body, found->inside);
    return out;
}

}  // namespace penstock::dialects
