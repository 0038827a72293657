// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "http/router.h"
#include "http/url.h"

// libFuzzer finds it by this name.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace penstock::http;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto url = parse_url(text)) {
        const auto again = parse_url(to_string(*url));
        CHECK(
            again.has_value() && *again == *url, "a URL that was read is printed to be read again"
        );
        CHECK(
            url->target.find_first_of(" \r\n") == std::string::npos, "a target fits a request line"
        );
        CHECK(url->host.find_first_of(" \r\n/@") == std::string::npos, "a host fits a Host field");
    }
    CHECK(percent_decode(percent_encode(text)) == text, "escaping is undone by its inverse");
    if (const auto query = Query::parse(text)) {
        const auto again = Query::parse(query->to_string());
        CHECK(again.has_value() && again->to_string() == query->to_string(), "a query is stable");
    }
    static const Router router = [] {
        Router made;
        for (const char* pattern : {"/a/{b}", "/a/{b}:c", "/a/{b}/d", "/e/{f...}", "/"})
            made.add("GET", pattern, nullptr);
        return made;
    }();
    const auto match = router.match("GET", text);
    CHECK(!match || match->route == nullptr || text.starts_with('/'), "only paths match");
    if (match)
        for (const auto& [name, value] : match->params)
            CHECK(!("/" + value + "/").contains("/../"), "no parameter climbs");
    return 0;
}
