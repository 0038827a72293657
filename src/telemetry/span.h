// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/time.h"

namespace penstock::telemetry {

using SpanValue = std::variant<std::string, std::int64_t, bool>;
using SpanAttributes = std::vector<std::pair<std::string, SpanValue>>;

// One piece of work in a trace, as OpenTelemetry has it: what served a request of somebody else's.
struct Span {
    std::string trace_id;     // 32 hex digits
    std::string id;           // 16 hex digits
    std::string parent;       // likewise; empty: the trace begins here
    std::string trace_state;  // as it came
    std::string name;
    Time from;
    Time to;
    SpanAttributes attributes;
    std::vector<std::pair<Time, std::string>> events;
    std::string error;  // empty: it ended well
};

// The body of OTLP/HTTP's `POST /v1/traces` in JSON (opentelemetry-proto 1.x, the mapping of
// protobuf with identifiers in hex): the spans of one process, which `resource` tells.
std::string to_otlp_json(std::span<const Span> spans, const SpanAttributes& resource);

}  // namespace penstock::telemetry
