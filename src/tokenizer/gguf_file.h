// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/tokenizer.h"

namespace penstock::tokenizer {

// Of llama.cpp's token types.
constexpr std::int32_t kNormalToken = 1;
constexpr std::int32_t kUnknownToken = 2;
constexpr std::int32_t kControlToken = 3;
constexpr std::int32_t kUserDefinedToken = 4;
constexpr std::int32_t kUnusedToken = 5;

// What a GGUF says of its tokenizer; the texts lie in the file's own bytes.
struct GgufVocabulary {
    std::string model;
    std::string pieces;
    std::vector<std::string_view> tokens;
    std::vector<std::int32_t> types;
    std::vector<float> scores;
    std::vector<std::string_view> merges;
    std::string charsmap;
    std::optional<TokenId> unknown;
    std::optional<bool> space_before;
    std::optional<bool> spaces_merged;

    std::int32_t type_of(std::size_t id) const { return types.empty() ? kNormalToken : types[id]; }
};
// invalid_argument with the name of the pair that is wrong.
Result<GgufVocabulary> read_gguf_vocabulary(std::string_view bytes);

}  // namespace penstock::tokenizer
