// SPDX-License-Identifier: Apache-2.0
#include "cli/text_width.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace penstock::cli {
namespace {

struct CodeRange {
    char32_t first;
    char32_t last;
};

// Unicode's East Asian Width W and F, joined where only unassigned code points lie between.
constexpr std::array kWide = {
    CodeRange{0x1100, 0x115F},   CodeRange{0x231A, 0x231B},   CodeRange{0x23E9, 0x23EC},
    CodeRange{0x25FD, 0x25FE},   CodeRange{0x2614, 0x2615},   CodeRange{0x26A1, 0x26A1},
    CodeRange{0x26D4, 0x26D4},   CodeRange{0x2705, 0x2705},   CodeRange{0x274C, 0x274C},
    CodeRange{0x2753, 0x2755},   CodeRange{0x2757, 0x2757},   CodeRange{0x2795, 0x2797},
    CodeRange{0x2B50, 0x2B50},   CodeRange{0x2E80, 0x303E},   CodeRange{0x3041, 0x33FF},
    CodeRange{0x3400, 0x4DBF},   CodeRange{0x4E00, 0x9FFF},   CodeRange{0xA000, 0xA4CF},
    CodeRange{0xA960, 0xA97F},   CodeRange{0xAC00, 0xD7A3},   CodeRange{0xF900, 0xFAFF},
    CodeRange{0xFE30, 0xFE6F},   CodeRange{0xFF01, 0xFF60},   CodeRange{0xFFE0, 0xFFE6},
    CodeRange{0x1F300, 0x1F64F}, CodeRange{0x1F680, 0x1F6FF}, CodeRange{0x1F900, 0x1F9FF},
    CodeRange{0x20000, 0x3FFFD},
};
constexpr std::array kZeroWidth = {
    CodeRange{0x0000, 0x001F}, CodeRange{0x007F, 0x009F}, CodeRange{0x0300, 0x036F},
    CodeRange{0x200B, 0x200F}, CodeRange{0x202A, 0x202E}, CodeRange{0x2060, 0x2064},
    CodeRange{0x20D0, 0x20FF}, CodeRange{0x3099, 0x309A}, CodeRange{0xFE00, 0xFE0F},
    CodeRange{0xFE20, 0xFE2F}, CodeRange{0xFEFF, 0xFEFF},
};

template <std::size_t Size>
bool within(const std::array<CodeRange, Size>& ranges, char32_t code) {
    const auto* found = std::ranges::lower_bound(ranges, code, {}, &CodeRange::last);
    return found != ranges.end() && code >= found->first;
}

struct Character {
    char32_t code = 0;
    std::size_t octets = 1;
    bool valid = true;
};

Character first_character(std::string_view text) {
    const auto lead = static_cast<std::uint8_t>(text[0]);
    if (lead < 0x80) return {lead, 1};
    const std::size_t octets = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || text.size() < octets) return {lead, 1, false};
    char32_t code = lead & (0x7F >> octets);
    for (std::size_t i = 1; i < octets; ++i) {
        const auto next = static_cast<std::uint8_t>(text[i]);
        if ((next & 0xC0) != 0x80) return {lead, 1, false};
        code = code << 6 | (next & 0x3F);
    }
    return {code, octets};
}

std::size_t width_of(const Character& character) {
    if (!character.valid) return 1;
    if (within(kZeroWidth, character.code)) return 0;
    return within(kWide, character.code) ? 2 : 1;
}

}  // namespace

std::size_t display_width(std::string_view text) {
    std::size_t width = 0;
    while (!text.empty()) {
        const Character character = first_character(text);
        width += width_of(character);
        text.remove_prefix(character.octets);
    }
    return width;
}

std::string pad_right(std::string_view text, std::size_t width) {
    const std::size_t taken = display_width(text);
    return std::string(text) + std::string(width > taken ? width - taken : 0, ' ');
}

std::string pad_left(std::string_view text, std::size_t width) {
    const std::size_t taken = display_width(text);
    return std::string(width > taken ? width - taken : 0, ' ') + std::string(text);
}

std::string shorten(std::string_view text, std::size_t width) {
    if (display_width(text) <= width) return std::string(text);
    std::string kept;
    std::size_t taken = 1;  // of the ellipsis
    while (!text.empty()) {
        const Character character = first_character(text);
        if (taken + width_of(character) > width) break;
        taken += width_of(character);
        kept += text.substr(0, character.octets);
        text.remove_prefix(character.octets);
    }
    return kept + "…";
}

std::string printable(std::string_view text) {
    std::string safe;
    while (!text.empty()) {
        const Character character = first_character(text);
        const bool control =
            character.code < 0x20 || (character.code >= 0x7F && character.code <= 0x9F);
        if (!character.valid)
            safe += "\uFFFD";
        else if (control)
            safe += ' ';
        else
            safe += text.substr(0, character.octets);
        text.remove_prefix(character.octets);
    }
    return safe;
}

}  // namespace penstock::cli
