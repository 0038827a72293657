// SPDX-License-Identifier: Apache-2.0
#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "tokenizer/pipeline.h"

// Steps on whole texts, as Hugging Face's library takes them.
namespace penstock::tokenizer {
namespace {

bool is_ascii(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

utf8proc_category_t category_of(char32_t c) {
    return utf8proc_category(static_cast<utf8proc_int32_t>(c));
}

// What a Unicode form is to utf8proc.
utf8proc_option_t options_of(Form form) {
    int options = UTF8PROC_STABLE;
    if (form == Form::nfkc || form == Form::nfkd) options |= UTF8PROC_COMPAT;
    const bool composed = form == Form::nfc || form == Form::nfkc;
    options |= composed ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE;
    return static_cast<utf8proc_option_t>(options);
}

Result<std::string> to_form(std::string text, Form form) {
    if (is_ascii(text)) return text;
    utf8proc_uint8_t* made = nullptr;
    const utf8proc_ssize_t length = utf8proc_map(
        reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
        static_cast<utf8proc_ssize_t>(text.size()), &made, options_of(form)
    );
    const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owned(made, &std::free);
    if (length < 0)
        return fail(
            ErrorCode::invalid_argument,
            std::string("the text has no normal form: ") + utf8proc_errmsg(length)
        );
    return std::string(reinterpret_cast<const char*>(made), static_cast<std::size_t>(length));
}

// Each character as `write(character, out)` writes it.
template <class Write>
std::string each_character(std::string_view text, Write&& write) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t at = 0; at < text.size(); at += character_length(text, at))
        write(character_at(text, at), out);
    return out;
}

void append_lower(char32_t c, std::string& out) {
    constexpr char32_t kDottedI = 0x130;  // the only one whose small form is two characters
    constexpr char32_t kDotAbove = 0x307;
    append_character(
        out, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c)))
    );
    if (c == kDottedI) append_character(out, kDotAbove);
}

bool is_control(char32_t c) {
    if (c == '\t' || c == '\n' || c == '\r') return false;
    const utf8proc_category_t category = category_of(c);
    return category == UTF8PROC_CATEGORY_CC || category == UTF8PROC_CATEGORY_CF ||
           category == UTF8PROC_CATEGORY_CO;
}

void append_clean(char32_t c, std::string& out) {
    constexpr char32_t kReplacement = 0xFFFD;
    if (c == 0 || c == kReplacement || is_control(c)) return;
    append_character(out, is_space(c) ? U' ' : c);
}

void append_parted(char32_t c, std::string& out) {
    const bool parts = is_ideograph(c);
    if (parts) out.push_back(' ');
    append_character(out, c);
    if (parts) out.push_back(' ');
}

// Where the grapheme ends that begins at `at`.
std::size_t grapheme_end(std::string_view text, std::size_t at) {
    utf8proc_int32_t state = 0;
    auto before = static_cast<utf8proc_int32_t>(character_at(text, at));
    for (at += character_length(text, at); at < text.size(); at += character_length(text, at)) {
        const auto next = static_cast<utf8proc_int32_t>(character_at(text, at));
        if (utf8proc_grapheme_break_stateful(before, next, &state) != 0) break;
        before = next;
    }
    return at;
}

}  // namespace

Normalizer normalize_to(Form form) {
    return [form](std::string text) { return to_form(std::move(text), form); };
}

Normalizer lower_case() {
    return [](const std::string& text) -> Result<std::string> {
        return each_character(text, append_lower);
    };
}

Normalizer strip_space(bool left, bool right) {
    return [left, right](const std::string& text) -> Result<std::string> {
        std::string_view kept = text;
        if (left) kept.remove_prefix(space_before(kept));
        if (right) kept.remove_suffix(space_after(kept));
        return std::string(kept);
    };
}

Normalizer strip_marks() {
    return [](const std::string& text) -> Result<std::string> {
        return each_character(text, [](char32_t c, std::string& out) {
            const utf8proc_category_t category = category_of(c);
            const bool mark = category == UTF8PROC_CATEGORY_MN ||
                              category == UTF8PROC_CATEGORY_MC || category == UTF8PROC_CATEGORY_ME;
            if (!mark) append_character(out, c);
        });
    };
}

Normalizer normalize_as_bert(BertOptions options) {
    return [options](std::string text) -> Result<std::string> {
        if (options.cleans) text = each_character(text, append_clean);
        if (options.parts_chinese) text = each_character(text, append_parted);
        if (options.strips_accents)
            text = each_character(
                TRY(to_form(std::move(text), Form::nfd)),
                [](char32_t c, std::string& out) {
                    if (category_of(c) != UTF8PROC_CATEGORY_MN) append_character(out, c);
                }
            );
        if (options.lowers) text = each_character(text, append_lower);
        return text;
    };
}

Normalizer replace_by(Charsmap map) {
    constexpr std::size_t kGraphemeBytesMax = 5;  // longer ones are looked at by their characters
    return [map = std::move(map)](const std::string& text) -> Result<std::string> {
        const std::string_view all = text;
        std::string out;
        const auto append = [&](std::string_view part) {
            const auto match = map.shortest(part);
            if (match) out.append(match->text);
            return match.has_value();
        };
        for (std::size_t at = 0; at < all.size();) {
            const std::size_t end = grapheme_end(all, at);
            const std::string_view grapheme = all.substr(at, end - at);
            const bool whole = grapheme.size() <= kGraphemeBytesMax && append(grapheme);
            for (std::size_t i = 0; !whole && i < grapheme.size();) {
                const std::string_view part = grapheme.substr(i, character_length(grapheme, i));
                if (!append(part)) out.append(part);
                i += part.size();
            }
            at = end;
        }
        return out;
    };
}

}  // namespace penstock::tokenizer
