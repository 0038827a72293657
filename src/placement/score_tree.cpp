// SPDX-License-Identifier: Apache-2.0
#include "placement/score_tree.h"

#include <algorithm>

#include "base/check.h"

namespace penstock::placement {
namespace {

template <std::size_t Width>
Score greatest(const Score* block) {
    Score best = block[0];
    for (std::size_t i = 1; i < Width; ++i) best = std::max(best, block[i]);
    return best;
}

template <std::size_t Width>
std::size_t find_first(const Score* block, Score wanted) {
    std::uint32_t equal = 0;
    for (std::size_t i = 0; i < Width; ++i)
        equal |= static_cast<std::uint32_t>(block[i] == wanted) << i;
    return static_cast<std::size_t>(__builtin_ctz(equal));
}

}  // namespace

ScoreTree::ScoreTree(std::size_t entries) {
    std::size_t count = std::max<std::size_t>(entries, 1);
    do {
        const std::size_t blocks = (count + kWidth - 1) / kWidth;
        levels_.emplace_back(blocks * kWidth, kLeast);
        count = blocks;
    } while (count > 1);
}

void ScoreTree::set(std::size_t entry, Score score) {
    Score before = levels_.front()[entry];
    levels_.front()[entry] = score;
    for (std::size_t level = 1; level < levels_.size() && before != score; ++level) {
        const std::size_t block = entry / kWidth;
        Score& above = levels_[level][block];
        const Score old = above;
        if (score > old)
            above = score;
        else if (before == old)
            above = greatest<kWidth>(&levels_[level - 1][block * kWidth]);
        before = old;
        score = above;
        entry = block;
    }
}

Score ScoreTree::best() const { return greatest<kWidth>(levels_.back().data()); }

std::size_t ScoreTree::first_best() const {
    const Score wanted = best();
    std::size_t entry = 0;
    for (std::size_t level = levels_.size(); level-- > 0;)
        entry = entry * kWidth + find_first<kWidth>(&levels_[level][entry * kWidth], wanted);
    return entry;
}

std::size_t ScoreTree::choosable(std::size_t rank) const {
    const std::vector<Score>& scores = levels_.front();
    for (std::size_t block = 0; block < scores.size(); block += kWidth) {
        std::size_t inside = 0;
        for (std::size_t i = 0; i < kWidth; ++i) inside += scores[block + i] >= 0 ? 1 : 0;
        if (rank >= inside) {
            rank -= inside;
            continue;
        }
        for (std::size_t i = block;; ++i)
            if (scores[i] >= 0 && rank-- == 0) return i;
    }
    CHECK(false, "callers count the choosable entries");
    return 0;
}

std::size_t ScoreTree::bytes() const {
    std::size_t sum = 0;
    for (const auto& level : levels_) sum += level.capacity() * sizeof(Score);
    return sum;
}

}  // namespace penstock::placement
