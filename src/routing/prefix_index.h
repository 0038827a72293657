// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/time.h"
#include "routing/prompt_blocks.h"

namespace penstock::routing {

// Which backend has probably kept which beginning of a prompt. A guess from what was sent where, or
// exact where an engine reports its cache. Capped in bytes: the blocks unused for longest go first;
// a guess older than kAgeMax does not count. Pure; one owner.
class PrefixIndex {
  public:
    static constexpr Duration kAgeMax = 120s;
    static constexpr std::size_t kBytesMax = 64UL * 1024 * 1024;
    // Of one block; a further one takes the place of the guess that is the oldest, or, where all
    // are exact, of the oldest.
    static constexpr std::size_t kHoldersMax = 32;
    using Backend = std::uint32_t;

    explicit PrefixIndex(std::size_t bytes_max = kBytesMax, Duration age_max = kAgeMax)
        : bytes_max_(bytes_max), age_max_(age_max) {}
    PrefixIndex(const PrefixIndex&) = delete;
    PrefixIndex& operator=(const PrefixIndex&) = delete;

    struct Match {
        Backend backend = 0;
        std::size_t blocks = 0;  // leading ones, at least one
    };
    // Each backend that holds the first block, in no particular order.
    std::vector<Match> match(std::span<const BlockHash> chain, Time now) const;
    // A prompt was sent there.
    void sent(Backend backend, std::span<const BlockHash> chain, Time now);

    // The engine itself says what it keeps; what was sent there is no longer guessed from then on.
    void stored(Backend backend, BlockHash block, Time now);
    void removed(Backend backend, BlockHash block);

    std::size_t bytes() const { return bytes_; }
    std::size_t bytes_max() const { return bytes_max_; }
    std::size_t blocks() const { return nodes_.size(); }
    std::int64_t evictions() const { return evictions_; }  // for want of room

  private:
    struct Holder {
        Backend backend = 0;
        bool exact = false;
        Time seen;
    };
    struct Node {
        BlockHash hash = 0;
        std::vector<Holder> holders;
        Time touched;
        Node* newer = nullptr;
        Node* older = nullptr;
    };
    bool reports(Backend backend) const {
        return backend < reporting_.size() && reporting_[backend];
    }
    const Holder* live_holder(const Node& node, Backend backend, Time now) const;
    void hold(Backend backend, BlockHash block, bool exact, Time now);
    void touch(Node& node, Time now);
    void unlink(Node& node);
    void erase(Node& node);
    void make_room(Time now);

    std::size_t bytes_max_;
    Duration age_max_;
    std::size_t bytes_ = 0;
    std::int64_t evictions_ = 0;
    std::unordered_map<BlockHash, Node> nodes_;
    std::vector<bool> reporting_;
    Node* newest_ = nullptr;
    Node* oldest_ = nullptr;
};

}  // namespace penstock::routing
