// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "tokenizer/pipeline.h"

namespace penstock::tokenizer {
namespace {

constexpr char32_t kByteLevelFirst = 0x100;  // where bytes without a printable form begin

// The printable bytes stand for themselves; the others follow from U+0100 on, in their order.
bool is_printable(unsigned byte) {
    return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

constexpr std::size_t kCharactersMax = 0x100 + 68;
using ByteOf = std::array<int, kCharactersMax>;  // character → byte, or -1

ByteOf make_table() {
    ByteOf table;
    table.fill(-1);
    std::size_t next = kByteLevelFirst;
    for (unsigned byte = 0; byte < 256; ++byte)
        table.at(is_printable(byte) ? byte : next++) = static_cast<int>(byte);
    return table;
}

struct Character {
    char32_t value;
    std::size_t length;
};

// Strict: no overlong forms, no surrogates, nothing above U+10FFFF. Length 0: not valid.
Character decode(std::string_view text, std::size_t at) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
    const unsigned lead = byte(0);
    if (lead < 0x80) return {lead, 1};
    const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || at + length > text.size()) return {0, 0};
    constexpr std::array<unsigned, 5> kLeadBits{0, 0x7F, 0x1F, 0x0F, 0x07};
    char32_t value = lead & kLeadBits.at(length);
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xC0U) != 0x80) return {0, 0};
        value = (value << 6U) | (byte(i) & 0x3FU);
    }
    constexpr std::array<char32_t, 5> kLeast{0, 0, 0x80, 0x800, 0x10000};
    const bool surrogate = value >= 0xD800 && value < 0xE000;
    if (value < kLeast.at(length) || value > 0x10FFFF || surrogate) return {0, 0};
    return {value, length};
}

}  // namespace

bool is_space(char32_t c) {
    return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
           c == 0x205F || c == 0x3000;
}

// U+2B920, where the block begins at U+2B820, is the reference implementation's.
bool is_ideograph(char32_t c) {
    return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) ||
           (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B73F) ||
           (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
           (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

char32_t character_at(std::string_view text, std::size_t at) { return decode(text, at).value; }

void append_character(std::string& out, char32_t c) {
    const auto tail = [&](unsigned shift) {
        out.push_back(static_cast<char>(0x80U | ((c >> shift) & 0x3FU)));
    };
    if (c < 0x80) {
        out.push_back(static_cast<char>(c));
    } else if (c < 0x800) {
        out.push_back(static_cast<char>(0xC0U | (c >> 6U)));
        tail(0);
    } else if (c < 0x10000) {
        out.push_back(static_cast<char>(0xE0U | (c >> 12U)));
        tail(6);
        tail(0);
    } else {
        out.push_back(static_cast<char>(0xF0U | (c >> 18U)));
        tail(12);
        tail(6);
        tail(0);
    }
}

std::size_t space_before(std::string_view text) {
    std::size_t at = 0;
    while (at < text.size()) {
        const Character character = decode(text, at);
        if (!is_space(character.value)) break;
        at += character.length;
    }
    return at;
}

std::size_t space_after(std::string_view text) {
    std::size_t end = text.size();
    while (end > 0) {
        std::size_t at = end - 1;
        while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80) --at;
        if (!is_space(decode(text, at).value)) break;
        end = at;
    }
    return text.size() - end;
}

bool valid_utf8(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t length = decode(text, at).length;
        if (length == 0) return false;
        at += length;
    }
    return true;
}

std::size_t character_length(std::string_view text, std::size_t at) {
    const auto lead = static_cast<unsigned char>(text[at]);
    return lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

std::optional<std::string> bytes_of_byte_level(std::string_view text) {
    static const ByteOf table = make_table();
    std::string bytes;
    for (std::size_t at = 0; at < text.size();) {
        const Character character = decode(text, at);
        if (character.length == 0 || character.value >= kCharactersMax) return std::nullopt;
        const int byte = table.at(character.value);
        if (byte < 0) return std::nullopt;
        bytes.push_back(static_cast<char>(byte));
        at += character.length;
    }
    return bytes;
}

}  // namespace penstock::tokenizer
