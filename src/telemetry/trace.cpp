// SPDX-License-Identifier: Apache-2.0
#include "telemetry/trace.h"

#include <algorithm>
#include <array>

// traceparent = version "-" trace-id "-" parent-id "-" trace-flags; 2, 32, 16 and 2 lower-case
// digits.
namespace penstock::telemetry {
namespace {

constexpr std::size_t kSize = 55;

std::unexpected<Error> malformed() {
    return fail(
        ErrorCode::invalid_argument, "traceparent is not of the form 00-<32 hex>-<16 hex>-<2 hex>"
    );
}

Result<std::uint64_t> parse_hex(std::string_view text) {
    std::uint64_t value = 0;
    for (const char c : text) {
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return malformed();
        value = value << 4 | static_cast<std::uint64_t>(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return value;
}

// Sixteen digits; returns where they end.
char* put_hex(char* to, std::uint64_t value) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    for (int shift = 60; shift >= 0; shift -= 4) *to++ = kDigits[(value >> shift) & 0xF];
    return to;
}

}  // namespace

Result<TraceContext> parse_traceparent(std::string_view text) {
    if (text.size() < kSize || text[2] != '-' || text[35] != '-' || text[52] != '-')
        return malformed();
    const std::uint64_t version = TRY(parse_hex(text.substr(0, 2)));
    if (version == 0xFF || (version == 0 && text.size() != kSize)) return malformed();
    if (text.size() > kSize && text[kSize] != '-') return malformed();
    TraceContext context;
    context.trace_id = {TRY(parse_hex(text.substr(3, 16))), TRY(parse_hex(text.substr(19, 16)))};
    context.span_id = TRY(parse_hex(text.substr(36, 16)));
    context.sampled = (TRY(parse_hex(text.substr(53, 2))) & 1) != 0;
    if ((context.trace_id[0] == 0 && context.trace_id[1] == 0) || context.span_id == 0)
        return malformed();
    return context;
}

std::string trace_id_text(const TraceContext& context) {
    std::array<char, 32> text;
    put_hex(put_hex(text.data(), context.trace_id[0]), context.trace_id[1]);
    return {text.data(), text.size()};
}

std::string span_id_text(const TraceContext& context) {
    std::array<char, 16> text;
    put_hex(text.data(), context.span_id);
    return {text.data(), text.size()};
}

std::string to_traceparent(const TraceContext& context) {
    std::array<char, kSize> text;
    char* at = std::ranges::copy(std::string_view("00-"), text.data()).out;
    at = put_hex(put_hex(at, context.trace_id[0]), context.trace_id[1]);
    *at++ = '-';
    at = put_hex(at, context.span_id);
    std::ranges::copy(std::string_view(context.sampled ? "-01" : "-00"), at);
    return {text.data(), text.size()};
}

TraceContext new_trace(Random& random, bool sampled) {
    // Zero means "none" in the standard.
    return {{random.next() | 1, random.next()}, random.next() | 1, sampled};
}

TraceContext child_of(const TraceContext& parent, Random& random) {
    TraceContext child = parent;
    child.span_id = random.next() | 1;
    return child;
}

}  // namespace penstock::telemetry
