// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "http/multipart.h"

namespace {

using penstock::http::MultipartReader;
using Kind = MultipartReader::Event::Kind;

std::string read(std::string_view bytes, std::size_t step) {
    MultipartReader parts("B");
    std::string text;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
        parts.feed(bytes.substr(at, step));
        while (true) {
            const auto event = parts.next();
            if (!event) return text + "!";
            if (event->kind == Kind::more) break;
            if (event->kind == Kind::end) return text + ".";
            if (event->kind == Kind::part)
                text += "<" + event->name + "|" + event->filename.value_or("-") + ">";
            if (event->kind == Kind::part_end) text += ";";
            text += event->data;
        }
    }
    return text;
}

}  // namespace

// libFuzzer finds it by this name.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const std::string whole = read(text, std::max<std::size_t>(size, 1));
    for (const std::size_t step : {1U, 2U, 3U, 7U})
        CHECK(read(text, step) == whole, "a body reads the same however it is cut");
    (void)MultipartReader::boundary_of(text);
    return 0;
}
