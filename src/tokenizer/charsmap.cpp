// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/charsmap.h"

#include <cstring>

#include "tokenizer/pipeline.h"

namespace penstock::tokenizer {
namespace {

// Of a unit of the trie.
std::uint32_t label_of(std::uint32_t unit) { return unit & ((1U << 31U) | 0xFFU); }
bool has_leaf(std::uint32_t unit) { return ((unit >> 8U) & 1U) != 0; }
std::uint32_t offset_of(std::uint32_t unit) { return (unit >> 10U) << ((unit & (1U << 9U)) >> 6U); }
std::uint32_t value_of(std::uint32_t unit) { return unit & ((1U << 31U) - 1); }

bool is_continuation(char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80; }

}  // namespace

Result<Charsmap> Charsmap::read(std::string_view blob) {
    std::uint32_t size = 0;
    if (blob.size() >= sizeof size) std::memcpy(&size, blob.data(), sizeof size);
    if (size == 0 || size % sizeof(std::uint32_t) != 0 || size > blob.size() - sizeof size)
        return fail(ErrorCode::invalid_argument, "is not a whole table of SentencePiece");
    Charsmap map;
    map.units_.resize(size / sizeof(std::uint32_t));
    std::memcpy(map.units_.data(), blob.data() + sizeof size, size);
    map.texts_ = blob.substr(sizeof size + size);
    return map;
}

// What a damaged table says beyond its own end, or not in UTF-8, is not said.
std::optional<Charsmap::Match> Charsmap::find(std::string_view text, bool first) const {
    std::optional<Match> found;
    std::uint32_t at = offset_of(units_[0]);
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        at ^= byte;
        if (byte == 0 || at >= units_.size() || label_of(units_[at]) != byte) break;
        const std::uint32_t unit = units_[at];
        at ^= offset_of(unit);
        const bool in_character = i + 1 < text.size() && is_continuation(text[i + 1]);
        if (!has_leaf(unit) || in_character) continue;
        if (at >= units_.size() || value_of(units_[at]) >= texts_.size()) break;
        std::string_view with = std::string_view(texts_).substr(value_of(units_[at]));
        with = with.substr(0, with.find('\0'));
        if (!valid_utf8(with)) break;
        found = {.length = i + 1, .text = with};
        if (first) break;
    }
    return found;
}

}  // namespace penstock::tokenizer
