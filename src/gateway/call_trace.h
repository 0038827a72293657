// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "base/random.h"
#include "http/headers.h"

namespace penstock::gateway {

// The trace that a call belongs to (W3C Trace Context): the client's, with a span of the gateway's
// own, or a new one. It is passed on to the engine, tracestate and all.
struct CallTrace {
    std::string parent;       // traceparent for the engine
    std::string state;        // tracestate, as it came
    std::string id;           // 32 hex digits
    bool sampled = false;     // its call is logged
    std::string client_span;  // 16 hex digits: of the client's, that the call belongs to; or empty
    // Of the gateway's own span, as it stands in `parent`.
    std::string span_id() const { return parent.substr(36, 16); }
};
// One in `sample_one_in` new traces is sampled; 0: none.
CallTrace trace_of(const http::Headers& headers, std::uint32_t sample_one_in, Random& random);
void add_trace(http::Headers& headers, const CallTrace& trace);

}  // namespace penstock::gateway
