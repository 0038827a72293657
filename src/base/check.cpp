// SPDX-License-Identifier: Apache-2.0
#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace penstock {

void check_failed(std::string_view condition, std::string_view why, const char* file, int line) {
    std::fprintf(
        stderr, "penstock: CHECK failed at %s:%d: %.*s (expected: %.*s)\n", file, line,
        static_cast<int>(condition.size()), condition.data(), static_cast<int>(why.size()),
        why.data()
    );
    std::abort();
}

}  // namespace penstock
