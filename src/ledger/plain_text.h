// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace penstock::ledger {

// Valid UTF-8 without NUL: what every store can hold.
bool is_storable_text(std::string_view text);
// The same without control characters: what every screen can show on one line.
bool is_plain_text(std::string_view text);

}  // namespace penstock::ledger
