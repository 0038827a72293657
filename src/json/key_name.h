// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace penstock::json {

// How a member is called in JSON where the C++ name cannot be: {"api_version", "apiVersion"}.
struct KeyName {
    std::string_view member;
    std::string_view key;
};

}  // namespace penstock::json
