// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/random.h"
#include "base/result.h"

namespace penstock::telemetry {

// W3C Trace Context, version 00: "00-<trace id>-<span id>-<flags>".
struct TraceContext {
    std::array<std::uint64_t, 2> trace_id{};
    std::uint64_t span_id = 0;
    bool sampled = false;
    bool operator==(const TraceContext&) const = default;
};

// Later versions are read by their first four fields, as the standard asks.
Result<TraceContext> parse_traceparent(std::string_view text);
std::string to_traceparent(const TraceContext& context);
TraceContext new_trace(Random& random, bool sampled);
// The same trace, a new span: what is passed downstream.
TraceContext child_of(const TraceContext& parent, Random& random);
std::string trace_id_text(const TraceContext& context);
std::string span_id_text(const TraceContext& context);

}  // namespace penstock::telemetry
