// SPDX-License-Identifier: Apache-2.0
#include "sim/allocated_bytes.h"

#include <malloc.h>
#include <mimalloc.h>

// Present where the program is linked with mimalloc; tests are not.
extern "C" {
[[gnu::weak]] mi_heap_t* mi_heap_get_default();
[[gnu::weak]] bool mi_heap_visit_blocks(
    const mi_heap_t* heap, bool visit_all_blocks, mi_block_visit_fun* visitor, void* arg
);
}

namespace penstock::sim {
namespace {

bool add_area(const mi_heap_t*, const mi_heap_area_t* area, void*, std::size_t, void* sum) {
    *static_cast<std::size_t*>(sum) += area->used * area->full_block_size;
    return true;
}

}  // namespace

std::size_t allocated_bytes() {
    if (&mi_heap_get_default == nullptr || &mi_heap_visit_blocks == nullptr) {
        const struct mallinfo2 info = mallinfo2();
        return info.uordblks + info.hblkhd;
    }
    std::size_t sum = 0;
    mi_heap_visit_blocks(mi_heap_get_default(), false, add_area, &sum);
    return sum;
}

}  // namespace penstock::sim
