// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace penstock::dialects {

std::string base64_of(std::string_view bytes);
// Nothing where a letter is not of its alphabet.
std::optional<std::string> base64_bytes(std::string_view base64);

}  // namespace penstock::dialects
