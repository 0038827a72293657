// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace penstock::sim {

constexpr std::size_t kSeedsMax = 10'000;

// "42", "42..51" (both ends), "0,1,7..9"; in the order given, none twice.
Result<std::vector<std::uint64_t>> parse_seeds(std::string_view text);

}  // namespace penstock::sim
