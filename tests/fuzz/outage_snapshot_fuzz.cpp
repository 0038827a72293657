// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "gateway/outage_snapshot.h"

namespace {
constexpr std::size_t kLeasesMax = 16;  // more say nothing new and take long
}

// libFuzzer finds it by this name. The input is read as a snapshot; to get behind the checksums it
// is also put into the texts of one.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace penstock::gateway;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto read = read_snapshot(text))
        CHECK(read_snapshot(print_snapshot(*read)) == *read, "what was read is written the same");
    OutageSnapshot own;
    own.head.spool_segment = size;
    for (const char c : text.substr(0, kLeasesMax))
        own.leases.emplace_back().account.model = std::string(c % 2 == 0 ? 1U : 2U, 'm');
    const std::string whole = print_snapshot(own);
    CHECK(read_snapshot(whole) == own, "what is written can be read");
    const std::string_view cut = std::string_view(whole).substr(0, size % whole.size());
    CHECK(!read_snapshot(cut), "what is cut is refused");
    return 0;
}
