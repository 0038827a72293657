// SPDX-License-Identifier: Apache-2.0
#include "placement/transaction.h"

#include <algorithm>

namespace penstock::placement {

std::vector<NodeIndex> Transaction::touched() const {
    std::vector<NodeIndex> nodes;
    nodes.reserve(changes_.size());
    for (const Change& change : changes_) nodes.push_back(change.placement.node);
    std::ranges::sort(nodes);
    const auto rest = std::ranges::unique(nodes);
    nodes.erase(rest.begin(), rest.end());
    return nodes;
}

}  // namespace penstock::placement
