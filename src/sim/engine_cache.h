// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <span>
#include <unordered_map>

#include "routing/prompt_blocks.h"

namespace penstock::sim {

// An engine's memory for contexts in blocks of 512 tokens: blocks in use by running calls, and
// prompt blocks that nobody uses, kept until their room is needed, least recently used first.
class EngineCache {
  public:
    // Told of every prompt block that can be found from now on, or no longer can.
    struct Listener {
        std::function<void(routing::BlockHash)> stored;
        std::function<void(routing::BlockHash)> removed;
    };
    EngineCache(std::size_t blocks_max, Listener listener)
        : blocks_max_(blocks_max), listener_(std::move(listener)) {}

    // Leading blocks of a prompt that are here.
    std::size_t match(std::span<const routing::BlockHash> prompt) const;
    // Takes `kept` leading blocks of the prompt into use and `fresh` empty ones; false, and nothing
    // is taken, where there is no room.
    bool acquire(std::span<const routing::BlockHash> kept, std::size_t fresh);
    // A fresh block now holds this prompt block. Where another call computed the same one, that is
    // used and the fresh one is free again.
    void fill(routing::BlockHash block);
    // Ends the use of filled and of fresh blocks.
    void release(std::span<const routing::BlockHash> filled, std::size_t fresh);

    std::size_t in_use() const { return pinned_ + fresh_; }
    std::size_t blocks_max() const { return blocks_max_; }

  private:
    struct Block {
        std::size_t users = 0;
        std::list<routing::BlockHash>::iterator place;  // among the unused, where nobody uses it
    };
    void use(Block& block);
    void evict(std::size_t count);

    std::size_t blocks_max_;
    Listener listener_;
    std::unordered_map<routing::BlockHash, Block> blocks_;
    std::list<routing::BlockHash> unused_;  // the next to go in front
    std::size_t pinned_ = 0;                // of blocks_, in use
    std::size_t fresh_ = 0;
};

}  // namespace penstock::sim
