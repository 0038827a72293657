// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/gguf_pieces.h"

#include <array>

#include "tokenizer/pipeline.h"

namespace penstock::tokenizer {
namespace {

constexpr const char* kLlama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kQwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

struct Named {
    std::string_view name;
    std::array<const char*, 2> patterns;
    std::size_t count;
    bool whole_pieces;
};
// The patterns are the models' own; each stands in the tokenizer.json of a model of that family.
constexpr std::array<Named, 4> kNamed{{
    {"gpt-2", {kByteLevelPattern, nullptr}, 1, false},
    {"smollm", {R"(\p{N})", kByteLevelPattern}, 2, false},
    {"llama-bpe", {kLlama3, nullptr}, 1, true},
    {"qwen2", {kQwen2, nullptr}, 1, false},
}};

const Named* find(std::string_view name) {
    for (const Named& named : kNamed)
        if (named.name == name) return &named;
    return nullptr;
}

}  // namespace

std::span<const char* const> gguf_patterns(std::string_view name) {
    const Named* named = find(name);
    if (named == nullptr) return {};
    return {named->patterns.data(), named->count};
}

bool gguf_takes_whole_pieces(std::string_view name) {
    const Named* named = find(name);
    return named != nullptr && named->whole_pieces;
}

}  // namespace penstock::tokenizer
