// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <queue>
#include <string>
#include <utility>
#include <vector>

#include "base/time.h"
#include "routing/choice_tree.h"
#include "routing/class_prices.h"

namespace penstock::routing {

// The endpoints of a model that pass the fixed filters of one kind of call, cheapest first, with
// what is known of each as of when it last changed. Changes are noted and taken over at the next
// use; what time alone changes (rates that grow old, breakers that half open) is taken over when
// it is due. Pure; owned by EndpointPool.
class EndpointIndex {
  public:
    struct Member {
        std::uint32_t rank = 0;  // equal ones cost the same
        TokenPrices prices;
    };
    // A leaf and when it changes by itself; nothing: never.
    struct Present {
        ChoiceLeaf leaf;
        std::optional<Time> until;
    };
    // `members` ascending by rank.
    EndpointIndex(std::string signature, const std::vector<Member>& members);

    const std::string& signature() const { return signature_; }
    void mark(std::uint32_t leaf) {
        if (marked_[leaf]) return;
        marked_[leaf] = true;
        changed_.push_back(leaf);
    }
    // Asks `present(leaf) -> Present` for all that has changed.
    template <class Ask>
    void refresh(Time now, Ask present) {
        while (!due_.empty() && due_.top().first <= now) {
            mark(due_.top().second);
            due_.pop();
        }
        for (const std::uint32_t leaf : changed_) {
            const Present value = present(leaf);
            tree_.set(leaf, value.leaf);
            marked_[leaf] = false;
            // One that is asked for earlier asks again: at most one entry waits for each but where
            // the time has come nearer.
            if (value.until &&
                (!until_[leaf] || *until_[leaf] <= now || *value.until < *until_[leaf])) {
                until_[leaf] = value.until;
                due_.emplace(*value.until, leaf);
            }
        }
        changed_.clear();
    }
    const ChoiceTree& tree() const { return tree_; }
    // [begin, end) of those that cost the same.
    std::pair<std::size_t, std::size_t> equals(std::size_t leaf) const;
    std::size_t size() const { return ranks_.size(); }
    // At the dearest of them.
    Result<Money> worst_case(const TokenBound& bound) const;

    std::uint64_t used = 0;  // when last, in uses of the pool's indexes

  private:
    using Due = std::pair<Time, std::uint32_t>;
    std::string signature_;
    ChoiceTree tree_;
    std::vector<std::uint32_t> ranks_;
    std::vector<TokenPrices> dearest_;  // no other is at least as dear on both sides
    std::vector<std::uint32_t> changed_;
    std::vector<bool> marked_;
    std::vector<std::optional<Time>> until_;  // the earliest entry in due_
    std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
};

}  // namespace penstock::routing
