// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace penstock::dialects {

// The object `body` with its member `key` replaced by `json`, or `json` put in front where there is
// none; every other byte stays. What is no object stays as it is.
std::string with_member(std::string_view body, std::string_view key, std::string_view json);

}  // namespace penstock::dialects
