// SPDX-License-Identifier: Apache-2.0
#include "gateway/call_trace.h"

#include <optional>

#include "http/message.h"
#include "telemetry/trace.h"

namespace penstock::gateway {
namespace {

constexpr std::size_t kStateBytesMax = 512;  // what the standard asks one to pass on at least

}  // namespace

CallTrace trace_of(const http::Headers& headers, std::uint32_t sample_one_in, Random& random) {
    std::optional<telemetry::TraceContext> given;
    if (const auto parent = headers.find("traceparent"))
        if (const auto read = telemetry::parse_traceparent(*parent)) given = *read;
    const bool drawn = !given && sample_one_in > 0 && random.below(sample_one_in) == 0;
    const telemetry::TraceContext own =
        given ? telemetry::child_of(*given, random) : telemetry::new_trace(random, drawn);
    CallTrace trace{
        .parent = telemetry::to_traceparent(own),
        .id = telemetry::trace_id_text(own),
        .sampled = own.sampled
    };
    // Without a valid parent the state belongs to nothing.
    if (given && own.sampled) trace.client_span = telemetry::span_id_text(*given);
    if (given)
        if (const auto state = headers.find("tracestate");
            state && state->size() <= kStateBytesMax && http::valid_field_value(*state))
            trace.state = *state;
    return trace;
}

void add_trace(http::Headers& headers, const CallTrace& trace) {
    headers.set("traceparent", trace.parent);
    if (!trace.state.empty()) headers.set("tracestate", trace.state);
}

}  // namespace penstock::gateway
