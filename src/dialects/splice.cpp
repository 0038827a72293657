// SPDX-License-Identifier: Apache-2.0
#include "dialects/splice.h"

#include "routing/json_scanner.h"

namespace penstock::dialects {

std::string with_member(std::string_view body, std::string_view key, std::string_view json) {
    using routing::JsonScanner;
    JsonScanner scan(body, JsonScanner::Text::lenient);
    if (scan.peek() != JsonScanner::Kind::object || !scan.enter_object()) return std::string(body);
    const std::size_t inside = scan.offset();
    std::string out;
    out.reserve(body.size() + key.size() + json.size() + 8);
    JsonScanner::String name;
    bool empty = true;
    while (scan.next_member(name)) {
        empty = false;
        routing::Span value;
        scan.peek();  // past the white space in front of it
        if (!scan.skip(&value)) break;
        if (!scan.equals(name, key)) continue;
        out.append(body, 0, value.begin).append(json).append(body, value.end);
        return out;
    }
    if (scan.failed()) return std::string(body);
    out.append(body, 0, inside);
    routing::append_json_string(out, key);
    out.append(":").append(json).append(empty ? "" : ",").append(body, inside);
    return out;
}

}  // namespace penstock::dialects
