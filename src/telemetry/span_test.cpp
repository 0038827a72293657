// SPDX-License-Identifier: Apache-2.0
#include "telemetry/span.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace penstock::telemetry {
namespace {

TEST(Span, IsToldAsCollectorsReadIt) {
    const Span span{
        .trace_id = "4bf92f3577b34da6a3ce929d0e0e4736",
        .id = "00f067aa0ba902b7",
        .parent = "b7ad6b7169203331",
        .name = "chat \"m\"",
        .from = Time(1'700'000'000'000'001us),
        .to = Time(1'700'000'001'000'000us),
        .attributes =
            {{"gen_ai.request.model", std::string("m")},
             {"gen_ai.usage.input_tokens", std::int64_t{9'007'199'254'740'993}},
             {"penstock.streamed", true}},
        .events = {{Time(1'700'000'000'500'000us), "gen_ai.first_token"}},
        .error = "client_gone"
    };
    EXPECT_EQ(
        to_otlp_json({&span, 1}, {{"service.name", std::string("penstock-gateway")}}),
        R"({"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"penstock-gateway"}}]},)"
        R"("scopeSpans":[{"scope":{"name":"penstock"},"spans":[{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736",)"
        R"("spanId":"00f067aa0ba902b7","name":"chat \"m\"","kind":2,"startTimeUnixNano":"1700000000000001000",)"
        R"("endTimeUnixNano":"1700000001000000000","attributes":[{"key":"gen_ai.request.model","value":{"stringValue":"m"}},)"
        R"({"key":"gen_ai.usage.input_tokens","value":{"intValue":"9007199254740993"}},)"
        R"({"key":"penstock.streamed","value":{"boolValue":true}}],"parentSpanId":"b7ad6b7169203331",)"
        R"("events":[{"timeUnixNano":"1700000000500000000","name":"gen_ai.first_token"}],)"
        R"("status":{"code":2,"message":"client_gone"}}]}]}]})"
    );
}

TEST(Span, ThatBeginsATraceAndEndedWellHasNeitherParentNorStatus) {
    const Span span{.trace_id = "1", .id = "2", .name = "chat m"};
    const std::string text = to_otlp_json({&span, 1}, {});
    for (const char* absent : {"parentSpanId", "traceState", "events", "status"})
        EXPECT_EQ(text.find(absent), std::string::npos) << text;
    EXPECT_NO_THROW(boost::json::parse(text));
}

}  // namespace
}  // namespace penstock::telemetry
