// SPDX-License-Identifier: Apache-2.0
#include <boost/json.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "config/yaml.h"

// libFuzzer finds it by this name.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace penstock;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const Result<json::Value> value = yaml::parse(text);
    if (!value) {
        CHECK(!value.error().message.empty(), "an error says what is wrong");
        return 0;
    }
    const Result<json::Value> again = yaml::parse(yaml::print(*value));
    CHECK(again.has_value(), "what is printed can be read");
    CHECK(*again == *value, "what is printed reads back equal");
    return 0;
}
