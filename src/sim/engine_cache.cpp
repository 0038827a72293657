// SPDX-License-Identifier: Apache-2.0
#include "sim/engine_cache.h"

#include <ranges>

#include "base/check.h"

namespace penstock::sim {

std::size_t EngineCache::match(std::span<const routing::BlockHash> prompt) const {
    std::size_t count = 0;
    while (count < prompt.size() && blocks_.contains(prompt[count])) ++count;
    return count;
}

bool EngineCache::acquire(std::span<const routing::BlockHash> kept, std::size_t fresh) {
    std::size_t unused_taken = 0;
    for (const routing::BlockHash hash : kept) unused_taken += blocks_.at(hash).users == 0 ? 1 : 0;
    if (in_use() + unused_taken + fresh > blocks_max_) return false;
    for (const routing::BlockHash hash : kept) use(blocks_.at(hash));
    fresh_ += fresh;
    const std::size_t total = in_use() + unused_.size();
    if (total > blocks_max_) evict(total - blocks_max_);
    return true;
}

void EngineCache::use(Block& block) {
    if (block.users++ > 0) return;
    unused_.erase(block.place);
    ++pinned_;
}

void EngineCache::evict(std::size_t count) {
    for (; count > 0; --count) {
        CHECK(!unused_.empty(), "what is in use never exceeds the memory");
        const routing::BlockHash hash = unused_.front();
        unused_.pop_front();
        blocks_.erase(hash);
        if (listener_.removed) listener_.removed(hash);
    }
}

void EngineCache::fill(routing::BlockHash hash) {
    CHECK(fresh_ > 0, "only a fresh block is filled");
    --fresh_;
    const auto [found, added] = blocks_.try_emplace(hash);
    if (!added) {
        use(found->second);
        return;
    }
    found->second.users = 1;
    ++pinned_;
    if (listener_.stored) listener_.stored(hash);
}

void EngineCache::release(std::span<const routing::BlockHash> filled, std::size_t fresh) {
    CHECK(fresh <= fresh_, "a block is released once");
    fresh_ -= fresh;
    // From the end, so that of one prompt the beginning is kept for longest.
    for (const routing::BlockHash hash : std::views::reverse(filled)) {
        Block& block = blocks_.at(hash);
        CHECK(block.users > 0, "a block is released once");
        if (--block.users > 0) continue;
        --pinned_;
        block.place = unused_.insert(unused_.end(), hash);
    }
}

}  // namespace penstock::sim
