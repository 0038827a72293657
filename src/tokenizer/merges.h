// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tokenizer/tokenizer.h"

namespace penstock::tokenizer {

struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
        return std::hash<std::string_view>{}(text);
    }
};
using TokenIds = std::unordered_map<std::string, TokenId, TextHash, std::equal_to<>>;

// Byte pair encoding of one piece (Sennrich, Haddow, Birch, 2016, "Neural Machine Translation of
// Rare Words with Subword Units"): from single bytes or characters, the pair with the lowest rank
// is merged, the leftmost among equals, until none is left that merges.
class Merges {
  public:
    enum class Unit : std::uint8_t { byte, character };
    struct Merge {
        std::uint32_t rank;
        TokenId merged;
    };

    Unit unit = Unit::byte;
    TokenIds ids;                     // text of a token → id; raw bytes where the unit is a byte
    bool whole_pieces_first = false;  // a piece that is a token is taken as it is
    std::optional<TokenId> unknown = {};
    bool fuse_unknown = false;  // a run of unknown characters is one token
    std::optional<std::array<TokenId, 256>> fallback = {};  // bytes of an unknown character

    // invalid_argument when the vocabulary lacks one of the two or what they make.
    Result<void> add(std::string_view left, std::string_view right);
    // A byte or character that has no token, fallback or `unknown` counts nothing, as in the
    // reference implementations: SmolLM2's vocabulary lacks some control bytes.
    void encode(std::string_view piece, std::vector<TokenId>& out) const;

  private:
    struct Symbol;
    std::vector<Symbol> first_symbols(std::string_view piece) const;
    void merge_all(std::vector<Symbol>& symbols) const;
    const Merge* find(TokenId left, TokenId right) const;

    std::unordered_map<std::uint64_t, Merge> merges_;
};

}  // namespace penstock::tokenizer
