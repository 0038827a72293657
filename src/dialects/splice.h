// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "routing/json_scanner.h"

namespace penstock::dialects {

// Where the value of the object's member stands; nothing where there is none, or no object.
std::optional<routing::Span> member_span(std::string_view body, std::string_view key);

// The object `body` with its member `key` replaced by `json`, or `json` put in front where there is
// none; every other byte stays. What is no object stays as it is.
std::string with_member(std::string_view body, std::string_view key, std::string_view json);

}  // namespace penstock::dialects
