// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "dispatch/host.h"

namespace penstock::dispatch {

// Nodes of a site that differ, for one request, in nothing that a plan reads but their names and
// where they stand: they fit alike, or are refused for the same reasons.
struct Alike {
    // The node that is shown: the first, or of those that are short of something the nearest.
    const Host* shown = nullptr;
    std::vector<const Node*> nodes;  // in the order they came
};

// Sorts nodes into such groups, one after another. Hosts outlive it.
class AlikeNodes {
  public:
    // `avoid` is sorted.
    AlikeNodes(const ResourceRequest& request, const std::vector<NodeId>& avoid)
        : request_(request), avoid_(avoid) {}
    void add(const Host& host);
    // In the order in which the first of each came.
    const std::vector<Alike>& groups() const { return groups_; }

  private:
    struct Stand {
        std::uint32_t reasons = 0;  // what a plan reads, one bit each
        std::int64_t nearness = 0;  // larger is nearer to fitting, where something is short
    };
    Stand stand_of(const Host& host) const;

    const ResourceRequest& request_;
    const std::vector<NodeId>& avoid_;
    std::vector<Alike> groups_;
    struct Known {
        std::size_t group = 0;
        std::int64_t nearness = 0;
    };
    std::map<std::uint32_t, Known> known_;
};

}  // namespace penstock::dispatch
