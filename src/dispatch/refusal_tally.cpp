// SPDX-License-Identifier: Apache-2.0
#include "dispatch/refusal_tally.h"

#include <algorithm>

namespace penstock::dispatch {
namespace {

// Of equals the one counted first stays the nearest.
void add(std::vector<RefusalCount>& kinds, const RefusalCount& more) {
    const auto at = std::ranges::lower_bound(kinds, more.kind, {}, &RefusalCount::kind);
    if (at == kinds.end() || at->kind != more.kind) {
        kinds.insert(at, more);
        return;
    }
    at->nodes += more.nodes;
    if (more.nearness <= at->nearness) return;
    at->nearest = more.nearest;
    at->nearness = more.nearness;
}

}  // namespace

void BlockChanges::reset(std::size_t nodes) {
    nodes_ = nodes;
    changed_.assign((nodes + kRefusalBlock - 1) / kRefusalBlock, ++version_);
}

bool RefusalTally::update(const BlockChanges& changes, const Judge& judge) {
    if (version_ == changes.version()) return false;
    version_ = changes.version();
    blocks_.resize(changes.blocks().size());
    kinds_.clear();
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
        Block& block = blocks_[i];
        if (block.version != changes.blocks()[i]) {
            block = {.version = changes.blocks()[i]};
            const std::size_t end = std::min(changes.nodes(), (i + 1) * kRefusalBlock);
            for (std::size_t node = i * kRefusalBlock; node < end; ++node)
                if (const std::optional<NodeRefusal> refusal = judge(node))
                    add(block.kinds, {refusal->kind, node, refusal->nearness, 1});
        }
        for (const RefusalCount& kind : block.kinds) add(kinds_, kind);
    }
    return true;
}

}  // namespace penstock::dispatch
