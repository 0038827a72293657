// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "json/json.h"

namespace penstock::cli {

// The value at "placement.site" below an object; nullptr when a step is absent or null.
const json::Value* at_path(const json::Value& value, std::string_view path);
// A scalar as people read it: strings without quotes; lists joined with commas; objects as JSON.
// Empty for what is absent.
std::string text_at(const json::Value& value, std::string_view path);
std::string scalar_text(const json::Value& value);

}  // namespace penstock::cli
