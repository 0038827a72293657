// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tokenizer/pipeline.h"

// Steps that llama.cpp takes of itself, where a GGUF names no others.
namespace penstock::tokenizer {

inline constexpr std::string_view kMark = "\xE2\x96\x81";  // SentencePiece's for a space

// Spaces become marks.
Normalizer mark_spaces();

// How a file writes spaces.
struct UnigramSpaces {
    bool before = true;  // one is added before the text
    bool merged = true;  // several are one, those around the text none
};
// What the table replaces, the longest match first, but for texts of `kept`; spaces become marks.
Normalizer normalize_for_unigram(
    std::optional<Charsmap> map, PrefixIndex kept, UnigramSpaces spaces
);

// Words of BERT: small letters without accents, each mark and ideograph a word, kMark before all.
Splitter split_as_bert();

}  // namespace penstock::tokenizer
