// SPDX-License-Identifier: Apache-2.0
#include "model/quantization.h"

#include <algorithm>

namespace penstock {

Result<void> check_quantization(const std::optional<std::string>& name, std::string_view field) {
    if (!name || std::ranges::find(kQuantizations, *name) != kQuantizations.end()) return {};
    std::string known;
    for (const std::string_view each : kQuantizations)
        known.append(known.empty() ? "" : ", ").append(each);
    return fail_field(
        ErrorCode::invalid_argument, std::string(field), "'" + *name + "' is not one of " + known
    );
}

}  // namespace penstock
