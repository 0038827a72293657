// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/words.h"

#include <algorithm>

namespace penstock::tokenizer {

void WordPiece::encode(std::string_view word, std::vector<TokenId>& out) const {
    if (word.empty()) return;
    const auto characters = std::ranges::count_if(word, [](char byte) {
        return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80;
    });
    const std::size_t before = out.size();
    bool known = static_cast<std::size_t>(characters) <= word_characters_max;
    for (std::size_t at = 0; known && at < word.size();) {
        const auto found = (at == 0 ? first : later).longest(word.substr(at));
        known = found.has_value();
        if (!known) break;
        out.push_back(found->id);
        at += found->length;
    }
    if (known) return;
    out.resize(before);
    out.push_back(unknown);
}

void WordLevel::encode(std::string_view word, std::vector<TokenId>& out) const {
    const auto found = ids.find(word);
    out.push_back(found == ids.end() ? unknown : found->second);
}

}  // namespace penstock::tokenizer
