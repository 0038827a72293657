// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "routing/engine_load.h"

// libFuzzer finds it by this name. The input is an engine's metrics.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto load = penstock::routing::read_engine_load(text))
        CHECK(
            load->cache_used_share >= 0 && load->cache_used_share <= 1 && load->calls_waiting >= 0,
            "a load is a share and a count"
        );
    return 0;
}
