// SPDX-License-Identifier: Apache-2.0
#include "telemetry/span.h"

#include <boost/json.hpp>

#include "json/json.h"

namespace penstock::telemetry {
namespace {

constexpr int kKindServer = 2;
constexpr int kStatusError = 2;
constexpr std::int64_t kNanosPerMicro = 1000;

// Whole numbers of 64 bits are strings there.
boost::json::string number(std::int64_t value) {
    return boost::json::string(std::to_string(value));
}

boost::json::string nanos(Time time) {
    return number(time.time_since_epoch().count() * kNanosPerMicro);
}

json::Object value_of(const SpanValue& value) {
    if (const auto* text = std::get_if<std::string>(&value)) return {{"stringValue", *text}};
    if (const auto* flag = std::get_if<bool>(&value)) return {{"boolValue", *flag}};
    return {{"intValue", number(std::get<std::int64_t>(value))}};
}

json::Array attributes_of(const SpanAttributes& attributes) {
    json::Array all;
    for (const auto& [key, value] : attributes)
        all.push_back(json::Object{{"key", key}, {"value", value_of(value)}});
    return all;
}

json::Object object_of(const Span& span) {
    json::Object out{
        {"traceId", span.trace_id},
        {"spanId", span.id},
        {"name", span.name},
        {"kind", kKindServer},
        {"startTimeUnixNano", nanos(span.from)},
        {"endTimeUnixNano", nanos(span.to)},
        {"attributes", attributes_of(span.attributes)}
    };
    if (!span.parent.empty()) out["parentSpanId"] = span.parent;
    if (!span.trace_state.empty()) out["traceState"] = span.trace_state;
    json::Array events;
    for (const auto& [at, name] : span.events)
        events.push_back(json::Object{{"timeUnixNano", nanos(at)}, {"name", name}});
    if (!events.empty()) out["events"] = std::move(events);
    if (!span.error.empty())
        out["status"] = json::Object{{"code", kStatusError}, {"message", span.error}};
    return out;
}

}  // namespace

std::string to_otlp_json(std::span<const Span> spans, const SpanAttributes& resource) {
    json::Array all;
    for (const Span& span : spans) all.push_back(object_of(span));
    const json::Object scope{
        {"scope", json::Object{{"name", "penstock"}}}, {"spans", std::move(all)}
    };
    const json::Object from_one{
        {"resource", json::Object{{"attributes", attributes_of(resource)}}},
        {"scopeSpans", json::Array{scope}}
    };
    return json::print_value(json::Object{{"resourceSpans", json::Array{from_one}}});
}

}  // namespace penstock::telemetry
