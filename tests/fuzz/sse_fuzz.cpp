// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "http/sse.h"

namespace {

constexpr std::size_t kEventMax = 100'000;

std::string read(std::string_view bytes, std::size_t step, bool lends = false) {
    penstock::http::SseParser parser(kEventMax);
    std::string text;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
        std::string piece(bytes.substr(at, step));
        const auto taken = lends ? parser.lend(piece) : parser.feed(piece);
        CHECK(taken.has_value(), "the inputs are below the limit");
        while (const auto event = parser.next()) {
            CHECK(event->raw.size() <= bytes.size(), "an event lies within its bytes");
            text.append(event->event).append("|").append(event->data).append("|").append(event->id);
            text.append("|").append(std::to_string(event->retry_ms.value_or(-1))).append("\n");
        }
        if (!lends) continue;
        parser.own();
        piece.assign(piece.size(), '!');
    }
    return text;
}

}  // namespace

// libFuzzer finds it by this name.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace penstock::http;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const std::string whole = read(text, std::max<std::size_t>(size, 1));
    for (const std::size_t step : {1U, 2U, 3U, 5U})
        for (const bool lends : {false, true})
            CHECK(read(text, step, lends) == whole, "a stream reads the same however it is cut");
    SseParser parser;
    CHECK(parser.feed(print_sse({.data = std::string(text)})).has_value(), "below the limit");
    CHECK(parser.next().has_value() && !parser.has_partial(), "a printed event is one event");
    return 0;
}
