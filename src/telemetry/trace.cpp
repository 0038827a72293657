// SPDX-License-Identifier: Apache-2.0
#include "telemetry/trace.h"

#include <fmt/format.h>

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
    return fmt::format("{:016x}{:016x}", context.trace_id[0], context.trace_id[1]);
}

std::string to_traceparent(const TraceContext& context) {
    return fmt::format(
        "00-{}-{:016x}-{:02x}", trace_id_text(context), context.span_id, context.sampled ? 1 : 0
    );
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
