// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace penstock {
// Prints the broken invariant to standard error and aborts the process.
[[noreturn]] void check_failed(
    std::string_view condition, std::string_view why, const char* file, int line
);
}  // namespace penstock

// An invariant that must hold in release builds too. `why` says why it holds. When it does not, the
// process dies and restarts from the store: going on from a broken state would lose more.
#define CHECK(condition, why)                                                \
    do {                                                                     \
        if (!(condition)) [[unlikely]]                                       \
            ::penstock::check_failed(#condition, (why), __FILE__, __LINE__); \
    } while (false)
