// SPDX-License-Identifier: Apache-2.0
#include "routing/json_scanner.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>

namespace penstock::routing {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
constexpr std::uint64_t kOnes = 0x0101010101010101ULL;
constexpr std::uint64_t kHighs = 0x8080808080808080ULL;
static_assert(std::endian::native == std::endian::little, "the first byte of a word is its lowest");

// The high bits of those of eight bytes that are a quote, a backslash, a control character or not
// ASCII. May name wrong ones above the first such byte.
std::uint64_t special_bytes(std::uint64_t word) {
    const auto zero_byte = [](std::uint64_t v) { return (v - kOnes) & ~v & kHighs; };
    const std::uint64_t quote = zero_byte(word ^ (kOnes * '"'));
    const std::uint64_t backslash = zero_byte(word ^ (kOnes * '\\'));
    const std::uint64_t control = (word - kOnes * 0x20) & ~word & kHighs;
    return quote | backslash | control | (word & kHighs);
}

#ifdef __SSE2__
constexpr std::size_t kRunBytes = 16;
// The same for sixteen bytes, one bit each, all of them right. As signed numbers what is not ASCII
// lies below the space too.
unsigned special_of_run(const char* bytes) {
    const __m128i run = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes));
    const __m128i low = _mm_cmplt_epi8(run, _mm_set1_epi8(0x20));
    const __m128i quote = _mm_cmpeq_epi8(run, _mm_set1_epi8('"'));
    const __m128i backslash = _mm_cmpeq_epi8(run, _mm_set1_epi8('\\'));
    const __m128i special = _mm_or_si128(low, _mm_or_si128(quote, backslash));
    return static_cast<unsigned>(_mm_movemask_epi8(special));
}
#endif

bool is_continuation(unsigned char c) { return (c & 0xC0) == 0x80; }

// Length of the UTF-8 sequence at `at` that begins with a byte ≥ 0x80; 0 when it is not valid.
std::size_t utf8_length(std::string_view text, std::size_t at) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
    const std::size_t left = text.size() - at;
    const unsigned char lead = byte(0);
    if (lead >= 0xC2 && lead <= 0xDF) return left >= 2 && is_continuation(byte(1)) ? 2 : 0;
    if (lead >= 0xE0 && lead <= 0xEF) {
        if (left < 3 || !is_continuation(byte(1)) || !is_continuation(byte(2))) return 0;
        if (lead == 0xE0 && byte(1) < 0xA0) return 0;
        return lead == 0xED && byte(1) > 0x9F ? 0 : 3;
    }
    if (lead >= 0xF0 && lead <= 0xF4) {
        if (left < 4 || !is_continuation(byte(1)) || !is_continuation(byte(2)) ||
            !is_continuation(byte(3)))
            return 0;
        if (lead == 0xF0 && byte(1) < 0x90) return 0;
        return lead == 0xF4 && byte(1) > 0x8F ? 0 : 4;
    }
    return 0;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Four hexadecimal digits, or −1.
int hex4(std::string_view text, std::size_t at) {
    if (at + 4 > text.size()) return -1;
    int value = 0;
    const auto [end, error] = std::from_chars(text.data() + at, text.data() + at + 4, value, 16);
    return error == std::errc() && end == text.data() + at + 4 && text[at] != '-' ? value : -1;
}

bool is_high_surrogate(int unit) { return unit >= 0xD800 && unit <= 0xDBFF; }
bool is_low_surrogate(int unit) { return unit >= 0xDC00 && unit <= 0xDFFF; }

void append_utf8(std::string& out, unsigned code) {
    const auto put = [&](unsigned byte) { out += static_cast<char>(byte); };
    if (code < 0x80) return put(code);
    if (code < 0x800) {
        put(0xC0 | (code >> 6));
        return put(0x80 | (code & 0x3F));
    }
    if (code < 0x10000) {
        put(0xE0 | (code >> 12));
        put(0x80 | ((code >> 6) & 0x3F));
        return put(0x80 | (code & 0x3F));
    }
    put(0xF0 | (code >> 18));
    put(0x80 | ((code >> 12) & 0x3F));
    put(0x80 | ((code >> 6) & 0x3F));
    put(0x80 | (code & 0x3F));
}

char unescaped(char c) {
    switch (c) {
        case 'b':
            return '\b';
        case 'f':
            return '\f';
        case 'n':
            return '\n';
        case 'r':
            return '\r';
        case 't':
            return '\t';
        default:
            return c;
    }
}

// Decodes the \u escape at `at` (of the 'u') and moves behind it, over a whole pair of surrogates.
void decode_unicode(std::string_view raw, std::size_t& at, std::string& out) {
    const int unit = hex4(raw, at + 1);
    at += 5;
    if (is_high_surrogate(unit) && at + 6 <= raw.size() && raw[at] == '\\' && raw[at + 1] == 'u') {
        const int low = hex4(raw, at + 2);
        if (is_low_surrogate(low)) {
            at += 6;
            const unsigned high_bits = (static_cast<unsigned>(unit) - 0xD800U) << 10;
            append_utf8(out, 0x10000U + high_bits + (static_cast<unsigned>(low) - 0xDC00U));
            return;
        }
    }
    if (is_high_surrogate(unit) || is_low_surrogate(unit))
        out += kReplacement;
    else
        append_utf8(out, static_cast<unsigned>(unit));
}

}  // namespace

bool JsonScanner::fail(const char* problem) {
    if (problem_ == nullptr) problem_ = problem;
    return false;
}

std::string JsonScanner::problem() const {
    return problem_ == nullptr ? std::string()
                               : std::string(problem_) + " at byte " + std::to_string(at_);
}

void JsonScanner::skip_space() {
    while (at_ < text_.size()) {
        const char c = text_[at_];
        if (c != ' ' && c != '\n' && c != '\t' && c != '\r') return;
        ++at_;
    }
}

JsonScanner::Kind JsonScanner::peek() {
    skip_space();
    if (failed() || at_ >= text_.size()) return Kind::none;
    switch (text_[at_]) {
        case '{':
            return Kind::object;
        case '[':
            return Kind::array;
        case '"':
            return Kind::string;
        case 't':
        case 'f':
            return Kind::boolean;
        case 'n':
            return Kind::null;
        default:
            return text_[at_] == '-' || is_digit(text_[at_]) ? Kind::number : Kind::none;
    }
}

bool JsonScanner::enter(char bracket) {
    if (failed()) return false;
    skip_space();
    if (at_ >= text_.size() || text_[at_] != bracket)
        return fail(bracket == '{' ? "expected an object" : "expected an array");
    if (depth_ == kDepthMax) return fail("the text is nested too deeply");
    first_[depth_++] = true;
    ++at_;
    return true;
}

bool JsonScanner::enter_object() { return enter('{'); }
bool JsonScanner::enter_array() { return enter('['); }

// Moves over a comma to the next item; leaves the object or array at its closing bracket.
bool JsonScanner::next_item(char closing) {
    if (failed()) return false;
    skip_space();
    if (at_ >= text_.size()) return fail("the text ends early");
    bool& first = first_[depth_ - 1];
    if (text_[at_] == closing) {
        ++at_;
        --depth_;
        return false;
    }
    if (!first) {
        if (text_[at_] != ',') return fail("expected ',' or a closing bracket");
        ++at_;
        skip_space();
        if (at_ < text_.size() && text_[at_] == closing) return fail("nothing follows the comma");
    }
    first = false;
    return true;
}

bool JsonScanner::next_member(String& key) {
    if (!next_item('}')) return false;
    if (!read_string(key)) return false;
    skip_space();
    if (at_ >= text_.size() || text_[at_] != ':') return fail("expected ':'");
    ++at_;
    return true;
}

bool JsonScanner::next_element() { return next_item(']'); }

bool JsonScanner::read_string(String& out) {
    if (failed()) return false;
    skip_space();
    if (at_ >= text_.size() || text_[at_] != '"') return fail("expected a string");
    return scan_string(out);
}

std::size_t JsonScanner::skip_plain(std::size_t at) const {
#ifdef __SSE2__
    for (; at + kRunBytes <= text_.size(); at += kRunBytes)
        if (const unsigned special = special_of_run(text_.data() + at); special != 0)
            return at + static_cast<std::size_t>(std::countr_zero(special));
#endif
    while (at + 8 <= text_.size()) {
        std::uint64_t word = 0;
        std::memcpy(&word, text_.data() + at, 8);
        const std::uint64_t special = special_bytes(word);
        if (special != 0) return at + static_cast<std::size_t>(std::countr_zero(special)) / 8;
        at += 8;
    }
    while (at < text_.size()) {
        const auto c = static_cast<unsigned char>(text_[at]);
        if (c < 0x20 || c == '"' || c == '\\' || c >= 0x80) break;
        ++at;
    }
    return at;
}

bool JsonScanner::scan_string(String& out) {
    std::size_t at = at_ + 1;
    out.begin = at;
    out.escaped = false;
    while (true) {
        at = skip_plain(at);
        if (at >= text_.size()) return fail("a string is not closed");
        const auto c = static_cast<unsigned char>(text_[at]);
        if (c == '"') break;
        if (c == '\\') {
            out.escaped = true;
            if (!scan_escape(at)) return false;
        } else if (c < 0x20) {
            at_ = at;
            return fail("a control character in a string");
        } else {
            // One such character is seldom alone.
            do {
                std::size_t length = utf8_length(text_, at);
                if (length == 0 && mode_ == Text::lenient) length = 1;
                at_ = length == 0 ? at : at_;
                if (length == 0) return fail("invalid UTF-8");
                at += length;
            } while (at < text_.size() && static_cast<unsigned char>(text_[at]) >= 0x80);
        }
    }
    out.end = at;
    at_ = at + 1;
    return true;
}

// Moves `at` from a backslash behind the whole escape.
bool JsonScanner::scan_escape(std::size_t& at) {
    const auto bad = [&](const char* problem) {
        at_ = at;
        return fail(problem);
    };
    if (at + 1 >= text_.size()) return bad("a string is not closed");
    const char kind = text_[at + 1];
    if (kind != 'u') {
        if (std::string_view("\"\\/bfnrt").find(kind) == std::string_view::npos)
            return bad("an unknown escape in a string");
        at += 2;
        return true;
    }
    const int unit = hex4(text_, at + 2);
    if (unit < 0) return bad("\\u needs four hexadecimal digits");
    if (mode_ == Text::strict && is_low_surrogate(unit)) return bad("a lone surrogate in a string");
    if (mode_ == Text::strict && is_high_surrogate(unit)) {
        const bool escape = at + 7 < text_.size() && text_[at + 6] == '\\' && text_[at + 7] == 'u';
        if (!escape || !is_low_surrogate(hex4(text_, at + 8)))
            return bad("a lone surrogate in a string");
        at += 6;
    }
    at += 6;
    return true;
}

// number = ["-"] ("0" / digit1-9 *digit) ["." 1*digit] [("e" / "E") ["+" / "-"] 1*digit]
bool JsonScanner::scan_number() {
    const auto digits = [&] {
        const std::size_t begin = at_;
        while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
        return at_ > begin;
    };
    if (text_[at_] == '-') ++at_;
    if (at_ < text_.size() && text_[at_] == '0')
        ++at_;
    else if (!digits())
        return fail("a number needs a digit");
    if (at_ < text_.size() && text_[at_] == '.') {
        ++at_;
        if (!digits()) return fail("a number needs a digit after the point");
    }
    if (at_ < text_.size() && (text_[at_] == 'e' || text_[at_] == 'E')) {
        ++at_;
        if (at_ < text_.size() && (text_[at_] == '+' || text_[at_] == '-')) ++at_;
        if (!digits()) return fail("a number needs a digit in its exponent");
    }
    return true;
}

bool JsonScanner::scan_word(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return fail("expected true, false or null");
    at_ += word.size();
    return true;
}

bool JsonScanner::skip(Span* span) {
    const Kind kind = peek();
    const std::size_t begin = at_;
    String string;
    bool ok = false;
    switch (kind) {
        case Kind::object:
            ok = enter_object();
            while (next_member(string))
                if (!skip()) return false;
            break;
        case Kind::array:
            ok = enter_array();
            while (next_element())
                if (!skip()) return false;
            break;
        case Kind::string:
            ok = scan_string(string);
            break;
        case Kind::number:
            ok = scan_number();
            break;
        case Kind::boolean:
            ok = scan_word(text_[at_] == 't' ? "true" : "false");
            break;
        case Kind::null:
            ok = scan_word("null");
            break;
        case Kind::none:
            return fail(at_ >= text_.size() ? "the text ends early" : "expected a value");
    }
    if (!ok || failed()) return false;
    if (span != nullptr) *span = {begin, at_};
    return true;
}

std::optional<std::int64_t> JsonScanner::read_integer() {
    const bool number = peek() == Kind::number;
    Span span;
    if (!skip(&span) || !number) return std::nullopt;
    const std::string_view digits = raw(span);
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
    return value;
}

std::optional<bool> JsonScanner::read_boolean() {
    const bool boolean = peek() == Kind::boolean;
    Span span;
    if (!skip(&span) || !boolean) return std::nullopt;
    return text_[span.begin] == 't';
}

bool JsonScanner::finish() {
    if (failed()) return false;
    skip_space();
    return at_ == text_.size() || fail("something follows the value");
}

std::string JsonScanner::decode(const String& string) const {
    const std::string_view from = raw(string);
    if (!string.escaped) return std::string(from);
    std::string out;
    out.reserve(from.size());
    for (std::size_t at = 0; at < from.size();) {
        const std::size_t escape = std::min(from.find('\\', at), from.size());
        out.append(from, at, escape - at);
        at = escape;
        if (at == from.size()) break;
        if (from[at + 1] == 'u') {
            decode_unicode(from, ++at, out);
        } else {
            out += unescaped(from[at + 1]);
            at += 2;
        }
    }
    return out;
}

std::size_t JsonScanner::decoded_size(const String& string) const {
    return string.escaped ? decode(string).size() : string.size();
}

void append_json_string(std::string& out, std::string_view text) {
    constexpr std::string_view kHex = "0123456789abcdef";
    out += '"';
    for (std::size_t at = 0; at < text.size();) {
        const auto c = static_cast<unsigned char>(text[at]);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += text[at++];
        } else if (c < 0x20) {
            out += "\\u00";
            out += kHex[c >> 4];
            out += kHex[c & 0xF];
            ++at;
        } else if (c < 0x80) {
            out += text[at++];
        } else if (const std::size_t length = utf8_length(text, at); length > 0) {
            out += text.substr(at, length);
            at += length;
        } else {
            out += kReplacement;
            ++at;
        }
    }
    out += '"';
}

std::string clip_text(std::string_view text, std::size_t bytes_max) {
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
        const bool ascii = static_cast<unsigned char>(text[at]) < 0x80;
        const std::size_t length = ascii ? 1 : utf8_length(text, at);
        const std::string_view next = length == 0 ? kReplacement : text.substr(at, length);
        if (out.size() + next.size() > bytes_max) break;
        out += next;
        at += std::max<std::size_t>(1, length);
    }
    return out;
}

}  // namespace penstock::routing
