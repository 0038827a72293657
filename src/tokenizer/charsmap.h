// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/tokenizer.h"

namespace penstock::tokenizer {

// SentencePiece's precompiled table of what texts become before they are cut: a double array trie
// (Darts) whose values are places among texts that end with NUL.
class Charsmap {
  public:
    // Size of the trie in bytes (u32, little endian), the trie, the texts. invalid_argument where
    // it is not whole.
    static Result<Charsmap> read(std::string_view blob);

    struct Match {
        std::size_t length = 0;  // of what is replaced
        std::string_view text;   // by this
    };
    // Of the beginnings of `text` that are replaced, the shortest and the longest.
    std::optional<Match> shortest(std::string_view text) const { return find(text, true); }
    std::optional<Match> longest(std::string_view text) const { return find(text, false); }

  private:
    std::optional<Match> find(std::string_view text, bool first) const;

    std::vector<std::uint32_t> units_;
    std::string texts_;
};

}  // namespace penstock::tokenizer
