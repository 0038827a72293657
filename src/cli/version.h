// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace penstock::cli {
std::string_view client_version();
}  // namespace penstock::cli
