// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/data_policy.h"

namespace penstock {

// invalid_argument, naming `field`, where it is none of kQuantizations.
Result<void> check_quantization(const std::optional<std::string>& name, std::string_view field);

}  // namespace penstock
