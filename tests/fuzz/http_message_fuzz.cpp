// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "http/parser.h"

namespace {

using penstock::http::Parser;

constexpr std::size_t kHeaderMax = 512;
constexpr std::uint64_t kBodyMax = 256;

// What was read of one message: "refused", "incomplete", or its parts; `step` bytes come at a time.
std::string read(std::string_view bytes, Parser::Kind kind, std::size_t step) {
    Parser parser(kind, kHeaderMax);
    std::size_t begin = 0;
    std::size_t end = 0;
    while (true) {
        const auto head = parser.parse_head(bytes.substr(0, end));
        if (!head) return "refused";
        if (*head) {
            CHECK(**head <= end, "a header lies within its bytes");
            begin = **head;
            break;
        }
        if (end == bytes.size()) return "incomplete";
        end = std::min(end + step, bytes.size());
    }
    CHECK(begin <= kHeaderMax, "the limit of a header holds");
    std::string text = parser.head().method + " " + parser.head().target + " ";
    for (const penstock::http::Header field : parser.head().headers)
        text.append(field.name).append(":").append(field.value).append("\n");
    std::string body;
    while (!parser.body_done()) {
        const auto piece = parser.parse_body(bytes.substr(begin, end - begin), kBodyMax);
        if (!piece) return "refused";
        CHECK(piece->consumed <= end - begin, "a piece lies within its bytes");
        begin += piece->consumed;
        body += piece->body;
        CHECK(body.size() <= kBodyMax, "the limit of a body holds");
        if (!piece->need_more) continue;
        if (end == bytes.size()) return parser.end_of_stream() ? text + body : "incomplete";
        end = std::min(end + step, bytes.size());
    }
    return text + body;
}

}  // namespace

// libFuzzer finds it by this name.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    for (const Parser::Kind kind : {Parser::Kind::request, Parser::Kind::response}) {
        const std::string whole = read(text, kind, std::max<std::size_t>(size, 1));
        CHECK(read(text, kind, 1) == whole, "a message reads the same however it is cut");
        CHECK(read(text, kind, 7) == whole, "a message reads the same however it is cut");
    }
    return 0;
}
