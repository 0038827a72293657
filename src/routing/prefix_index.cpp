// SPDX-License-Identifier: Apache-2.0
#include "routing/prefix_index.h"

#include <algorithm>
#include <ranges>

namespace penstock::routing {
namespace {

// A node with its place in the hash table: entry, next pointer, cached hash, share of the buckets.
constexpr std::size_t kTableBytes = 4 * sizeof(void*);

}  // namespace

const PrefixIndex::Holder* PrefixIndex::live_holder(const Node& node, Backend backend, Time now)
    const {
    const auto found = std::ranges::find(node.holders, backend, &Holder::backend);
    if (found == node.holders.end()) return nullptr;
    return found->exact || now - found->seen <= age_max_ ? &*found : nullptr;
}

std::vector<PrefixIndex::Match> PrefixIndex::match(std::span<const BlockHash> chain, Time now)
    const {
    std::vector<Match> all;
    std::size_t alive = 0;  // all[0 … alive) still match
    for (std::size_t depth = 0; depth < chain.size(); ++depth) {
        const auto found = nodes_.find(chain[depth]);
        if (found == nodes_.end()) break;
        const Node& node = found->second;
        if (depth == 0) {
            for (const Holder& holder : node.holders)
                if (live_holder(node, holder.backend, now)) all.push_back({holder.backend, 1});
            alive = all.size();
        } else {
            for (std::size_t i = 0; i < alive;) {
                if (live_holder(node, all[i].backend, now)) {
                    all[i].blocks = depth + 1;
                    ++i;
                } else {
                    std::swap(all[i], all[--alive]);
                }
            }
        }
        if (alive == 0) break;
    }
    return all;
}

void PrefixIndex::sent(Backend backend, std::span<const BlockHash> chain, Time now) {
    if (reports(backend)) return;
    // From the end: of blocks that were touched together the deeper one is the older, so that what
    // is left after an eviction is a beginning.
    for (const BlockHash block : std::views::reverse(chain)) hold(backend, block, false, now);
    make_room(now);
}

void PrefixIndex::stored(Backend backend, BlockHash block, Time now) {
    if (reporting_.size() <= backend) reporting_.resize(backend + 1);
    reporting_[backend] = true;
    hold(backend, block, true, now);
    make_room(now);
}

void PrefixIndex::removed(Backend backend, BlockHash block) {
    const auto found = nodes_.find(block);
    if (found == nodes_.end()) return;
    Node& node = found->second;
    std::erase_if(node.holders, [&](const Holder& holder) { return holder.backend == backend; });
    if (node.holders.empty()) erase(node);
}

void PrefixIndex::hold(Backend backend, BlockHash block, bool exact, Time now) {
    const auto [found, added] = nodes_.try_emplace(block);
    Node& node = found->second;
    if (added) {
        node.hash = block;
        bytes_ += sizeof(BlockHash) + sizeof(Node) + kTableBytes;
    }
    const auto held = std::ranges::find(node.holders, backend, &Holder::backend);
    if (held != node.holders.end()) {
        *held = {backend, exact, now};
    } else if (node.holders.size() == kHoldersMax) {
        *std::ranges::min_element(node.holders, {}, [](const Holder& holder) {
            return std::pair(holder.exact, holder.seen);
        }) = {backend, exact, now};
    } else {
        const std::size_t before = node.holders.capacity();
        node.holders.push_back({backend, exact, now});
        bytes_ += (node.holders.capacity() - before) * sizeof(Holder);
    }
    touch(node, now);
}

void PrefixIndex::touch(Node& node, Time now) {
    node.touched = now;
    if (newest_ == &node) return;
    unlink(node);
    node.older = newest_;
    if (newest_ != nullptr) newest_->newer = &node;
    newest_ = &node;
    if (oldest_ == nullptr) oldest_ = &node;
}

void PrefixIndex::unlink(Node& node) {
    if (node.newer != nullptr) node.newer->older = node.older;
    if (node.older != nullptr) node.older->newer = node.newer;
    if (newest_ == &node) newest_ = node.older;
    if (oldest_ == &node) oldest_ = node.newer;
    node.newer = node.older = nullptr;
}

void PrefixIndex::erase(Node& node) {
    unlink(node);
    bytes_ -=
        sizeof(BlockHash) + sizeof(Node) + kTableBytes + node.holders.capacity() * sizeof(Holder);
    nodes_.erase(node.hash);
}

void PrefixIndex::make_room(Time now) {
    while (oldest_ != nullptr) {
        const bool expired =
            now - oldest_->touched > age_max_ &&
            std::ranges::none_of(oldest_->holders, [](const Holder& h) { return h.exact; });
        if (!expired && bytes_ <= bytes_max_) return;
        if (!expired) ++evictions_;
        erase(*oldest_);
    }
}

}  // namespace penstock::routing
