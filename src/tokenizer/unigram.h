// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <optional>
#include <string_view>
#include <vector>

#include "tokenizer/prefix_index.h"

namespace penstock::tokenizer {

// The unigram language model (Kudo, 2018, "Subword Regularization"): of all ways to write a piece
// in tokens, the one with the largest sum of scores, found by Viterbi's algorithm. Time is linear
// in the piece, times the longest token.
class Unigram {
  public:
    PrefixIndex tokens;
    std::vector<double> scores;                             // by id
    double unknown_score = 0;                               // of a character that is no token
    TokenId unknown = 0;                                    // a run of such characters is one
    std::optional<std::array<TokenId, 256>> fallback = {};  // or else their bytes

    void encode(std::string_view piece, std::vector<TokenId>& out) const;

  private:
    struct Step;
    void add_unknown(std::string_view text, std::vector<TokenId>& out) const;
};

}  // namespace penstock::tokenizer
