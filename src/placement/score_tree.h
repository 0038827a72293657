// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace penstock::placement {

using Score = std::int16_t;  // higher is better; negative: cannot be chosen
constexpr Score kScoreMax = 10'000;

// Scores of numbered entries, with the first of the best at hand. Each level holds the greatest of
// every 32 of the level below: one vector scan a level finds or repairs it.
class ScoreTree {
  public:
    explicit ScoreTree(std::size_t entries);
    Score at(std::size_t entry) const { return levels_.front()[entry]; }
    void set(std::size_t entry, Score score);
    Score best() const;
    // The lowest entry whose score is best().
    std::size_t first_best() const;
    // The `rank`-th entry (from 0) that can be chosen; there are more than `rank`. Linear.
    std::size_t choosable(std::size_t rank) const;
    std::size_t bytes() const;

  private:
    static constexpr std::size_t kWidth = 32;
    static constexpr Score kLeast = INT16_MIN;
    std::vector<std::vector<Score>> levels_;  // padded to whole blocks; the last has one block
};

}  // namespace penstock::placement
