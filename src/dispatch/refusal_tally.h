// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "dispatch/host.h"
#include "placement/verdict.h"

namespace penstock::dispatch {

// Nodes whose kinds are counted together. A change costs a pass over one block, an answer one over
// all blocks: near the square root of the nodes of a large pool, both are small.
constexpr std::size_t kRefusalBlock = 128;

// What nodes that refuse alike have in common.
struct RefusalKind {
    bool ever = false;  // they would have it if nothing ran there
    placement::Verdict verdict = placement::Verdict::closed;
    Closed closed = Closed::open;
    auto operator<=>(const RefusalKind&) const = default;
};

// One node's refusal. Larger is nearer to fitting.
struct NodeRefusal {
    RefusalKind kind;
    std::int64_t nearness = 0;
};

struct RefusalCount {
    RefusalKind kind;
    std::size_t nearest = 0;  // node; the first of equals
    std::int64_t nearness = 0;
    std::int64_t nodes = 0;
};

// The versions at which blocks of nodes last changed.
class BlockChanges {
  public:
    void reset(std::size_t nodes);
    void changed(std::size_t node) { changed_[node / kRefusalBlock] = ++version_; }
    std::uint64_t version() const { return version_; }
    std::size_t nodes() const { return nodes_; }
    const std::vector<std::uint64_t>& blocks() const { return changed_; }

  private:
    std::size_t nodes_ = 0;
    std::uint64_t version_ = 0;
    std::vector<std::uint64_t> changed_;
};

// The kinds of refusal of one request, in order, each with its number of nodes and the nearest.
class RefusalTally {
  public:
    // The refusal of a node; nothing where it takes the request or is not to be counted.
    using Judge = std::function<std::optional<NodeRefusal>(std::size_t node)>;
    // Judges again the nodes of those blocks that changed since; true: something may be another.
    bool update(const BlockChanges& changes, const Judge& judge);
    const std::vector<RefusalCount>& kinds() const { return kinds_; }

  private:
    struct Block {
        std::uint64_t version = 0;
        std::vector<RefusalCount> kinds;  // in order
    };
    std::optional<std::uint64_t> version_;  // of the changes; none: nothing was counted
    std::vector<Block> blocks_;
    std::vector<RefusalCount> kinds_;
};

}  // namespace penstock::dispatch
