// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "identity/c_url.h"

// libFuzzer finds it by this name.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace penstock::identity;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto parsed = parse(text);
    if (parsed) {
        const std::string printed = to_string(*parsed);
        CHECK(
            printed == text || text.starts_with(kSchemeAlias), "a text that is read is canonical"
        );
        CHECK(validate(*parsed).has_value(), "what was read can be printed and read again");
        CHECK(parse_identity(text) == parsed->identity(), "both readers agree");
    } else {
        CHECK(parsed.error().position <= size, "an error points into the text");
    }
    if (const auto lenient = parse_lenient(text)) {
        CHECK(parse(to_string(*lenient)).has_value(), "leniency ends in strict text");
        CHECK(parse_identity_lenient(text) == lenient->identity(), "both lenient readers agree");
    }
    return 0;
}
