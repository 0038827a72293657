// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace penstock::sim {

// Bytes that the calling thread has allocated and not freed, as the allocator of the process counts
// them: whole blocks, what rounding to them wastes included; not what it keeps for later. Of
// mimalloc where the program is linked with it, else of the C library. Walks the heap: for
// measurements, not for hot paths.
std::size_t allocated_bytes();

}  // namespace penstock::sim
