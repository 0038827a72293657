// SPDX-License-Identifier: Apache-2.0
#include "dialects/base64.h"

#include <cstdint>

namespace penstock::dialects {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr unsigned kBits = 6;
constexpr std::size_t kOctets = 3;  // become four letters

}  // namespace

std::string base64_of(std::string_view bytes) {
    std::string out;
    out.reserve((bytes.size() / kOctets + 1) * 4);
    for (std::size_t i = 0; i < bytes.size(); i += kOctets) {
        std::uint32_t group = 0;
        for (std::size_t k = 0; k < kOctets; ++k)
            group = group << 8U |
                    (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U);
        for (unsigned k = 0; k <= kOctets; ++k) {
            const bool there = i + k <= bytes.size();
            out += there ? kAlphabet[group >> kBits * (kOctets - k) & 0x3FU] : '=';
        }
    }
    return out;
}

std::optional<std::string> base64_bytes(std::string_view base64) {
    std::string out;
    std::uint32_t group = 0;
    unsigned bits = 0;
    for (const char letter : base64) {
        if (letter == '=') break;
        const std::size_t value = kAlphabet.find(letter);
        if (value == std::string_view::npos) return std::nullopt;
        group = group << kBits | static_cast<std::uint32_t>(value);
        bits += kBits;
        if (bits < 8) continue;
        bits -= 8;
        out += static_cast<char>(group >> bits & 0xFFU);
    }
    return out;
}

}  // namespace penstock::dialects
