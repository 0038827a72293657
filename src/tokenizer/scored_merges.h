// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "tokenizer/merges.h"

namespace penstock::tokenizer {

// SentencePiece's byte pair encoding as llama.cpp runs it: from single characters, of neighbours
// that make a token together the two with the highest score become it, the leftmost among equals,
// until none are left. A character that is no token is told by its bytes.
class ScoredMerges {
  public:
    TokenIds ids;
    std::vector<float> scores;  // by id
    std::array<TokenId, 256> bytes{};
    std::size_t token_bytes_max = 0;  // of the longest token

    void encode(std::string_view text, std::vector<TokenId>& out) const;

  private:
    struct Symbol;
    struct Candidate;
    class Work;
};

}  // namespace penstock::tokenizer
