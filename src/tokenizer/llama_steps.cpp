// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/llama_steps.h"

#include <utf8proc.h>

namespace penstock::tokenizer {
namespace {

// The first character of the canonical decomposition: accents that follow it are dropped.
char32_t base_of(char32_t c) {
    constexpr utf8proc_ssize_t kCharactersMax = 18;  // of any decomposition
    std::array<utf8proc_int32_t, kCharactersMax> parts{};
    int boundary = 0;
    const utf8proc_ssize_t count = utf8proc_decompose_char(
        static_cast<utf8proc_int32_t>(c), parts.data(), kCharactersMax,
        static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE), &boundary
    );
    return count < 1 ? c : static_cast<char32_t>(parts[0]);
}

bool is_control(utf8proc_category_t category) {
    return category == UTF8PROC_CATEGORY_CC || category == UTF8PROC_CATEGORY_CF ||
           category == UTF8PROC_CATEGORY_CO;
}
bool is_punctuation(utf8proc_category_t category) {
    return category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_PO;
}
bool is_mark(utf8proc_category_t category) {
    return category >= UTF8PROC_CATEGORY_MN && category <= UTF8PROC_CATEGORY_ME;
}
bool is_symbol(utf8proc_category_t category) {
    return category >= UTF8PROC_CATEGORY_SM && category <= UTF8PROC_CATEGORY_SO;
}

// What comes next of a text, and how many bytes of it that stands for.
Charsmap::Match next_part(
    std::string_view text, const std::optional<Charsmap>& map, const PrefixIndex& kept
) {
    if (const auto token = kept.longest(text))
        return {token->length, text.substr(0, token->length)};
    if (map)
        if (const auto match = map->longest(text)) return *match;
    const std::size_t length = character_length(text, 0);
    return {length, text.substr(0, length)};
}

}  // namespace

Normalizer mark_spaces() { return replace(Pattern::literal(" "), std::string(kMark)); }

Normalizer normalize_for_unigram(
    std::optional<Charsmap> map, PrefixIndex kept, UnigramSpaces spaces
) {
    return [map = std::move(map), kept = std::move(kept),
            spaces](const std::string& text) -> Result<std::string> {
        bool prepended = false;
        bool in_word = false;
        std::string out;
        for (std::string_view rest = text; !rest.empty();) {
            const Charsmap::Match part = next_part(rest, map, kept);
            for (const char c : part.text) {
                if (c == ' ') {
                    in_word = false;
                    if (!spaces.merged) out.append(kMark);
                    continue;
                }
                if (!in_word && ((spaces.before && !prepended) || spaces.merged)) {
                    out.append(kMark);
                    prepended = true;
                }
                in_word = true;
                out.push_back(c);
            }
            rest.remove_prefix(part.length);
        }
        return out;
    };
}

Splitter split_as_bert() {
    return [](std::string_view text, bool, Pieces& out) -> Result<void> {
        constexpr char32_t kReplacement = 0xFFFD;
        std::string word;
        const auto end_word = [&] {
            if (!word.empty()) out.push_back(std::string(kMark) + word);
            word.clear();
        };
        for (std::size_t at = 0; at < text.size(); at += character_length(text, at)) {
            const char32_t c = base_of(character_at(text, at));
            const utf8proc_category_t category =
                utf8proc_category(static_cast<utf8proc_int32_t>(c));
            if (is_space(c)) {
                end_word();
                continue;
            }
            if (c == 0 || c == kReplacement || is_control(category) || is_mark(category)) continue;
            const bool alone =
                is_punctuation(category) || (c < 0x7F && is_symbol(category)) || is_ideograph(c);
            if (alone) end_word();
            append_character(
                word, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c)))
            );
            if (alone) end_word();
        }
        end_word();
        return {};
    };
}

}  // namespace penstock::tokenizer
