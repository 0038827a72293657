// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "placement/cluster.h"

namespace penstock::placement {

// Levels of cells, smallest first.
enum class Level : std::uint8_t { domain, node, rack, site, cluster };

// Which nodes stand together. A rack's number counts within its site. A value, made once.
class Topology {
  public:
    explicit Topology(const std::vector<Node>& nodes);

    struct Rack {
        std::vector<NodeIndex> nodes;
        std::uint32_t site = 0;  // index
    };
    const std::vector<Rack>& racks() const { return racks_; }
    const std::vector<std::vector<std::uint32_t>>& sites() const { return sites_; }  // racks

  private:
    std::vector<Rack> racks_;
    std::vector<std::vector<std::uint32_t>> sites_;
};

// How many tasks of this request the node holds now, beside what runs there.
std::int32_t capacity(const Node& node, const Request& request);
// The same on these of its devices alone, whose domain is one.
std::int32_t capacity_on(const Node& node, const Request& request, DeviceMask devices);
// The devices of each domain of the node.
std::vector<DeviceMask> domain_masks(const Node& node);

}  // namespace penstock::placement
