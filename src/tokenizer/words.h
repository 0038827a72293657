// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <vector>

#include "tokenizer/merges.h"
#include "tokenizer/prefix_index.h"

namespace penstock::tokenizer {

// WordPiece (Schuster, Nakajima, 2012, "Japanese and Korean Voice Search"): from its beginning, a
// word is cut into the longest tokens; one that cannot be cut so is unknown as a whole.
class WordPiece {
  public:
    PrefixIndex first;  // what a word may begin with
    PrefixIndex later;  // what may follow in it
    TokenId unknown = 0;
    std::size_t word_characters_max = SIZE_MAX;  // longer ones are unknown

    void encode(std::string_view word, std::vector<TokenId>& out) const;
};

// A word is a token, or unknown.
class WordLevel {
  public:
    TokenIds ids;
    TokenId unknown = 0;

    void encode(std::string_view word, std::vector<TokenId>& out) const;
};

}  // namespace penstock::tokenizer
