// SPDX-License-Identifier: Apache-2.0
#include "gateway/second_meter_metrics.h"

#include <gtest/gtest.h>

namespace penstock::gateway {
namespace {

CallRecord call_to(std::uint64_t endpoint) {
    CallRecord call;
    call.endpoint_id = EndpointId(RawId{9, endpoint});
    call.tokens = {.input_fresh = 10, .output_visible = 4};
    call.counted = TextTokens{.tokenizer = "t", .input = 8, .output_visible = 3};
    return call;
}

TEST(SecondMeterMetrics, ShowBothCountsAndTheLargestDifference) {
    telemetry::Registry registry;
    SecondMeterMetrics metrics(registry);
    metrics.on_record(call_to(1));
    metrics.on_record(call_to(1));
    const std::string id = to_string(EndpointId(RawId{9, 1}));
    const std::string text = registry.render();
    const auto shows = [&](const std::string& line) {
        return text.find(line) != std::string::npos;
    };
    const std::string tokens = "penstock_gateway_second_meter_tokens_total{endpoint=\"" + id;
    EXPECT_TRUE(shows(tokens + R"(",side="input",meter="engine"} 20)")) << text;
    EXPECT_TRUE(shows(tokens + R"(",side="output",meter="gateway"} 6)")) << text;
    EXPECT_TRUE(shows("difference_max{endpoint=\"" + id + R"(",side="output"} 0.25)")) << text;
}

TEST(SecondMeterMetrics, EndpointsBeyondTheLimitShareOneSeries) {
    telemetry::Registry registry;
    SecondMeterMetrics metrics(registry);
    for (std::uint64_t n = 0; n < SecondMeterMetrics::kEndpointsMax + 2; ++n)
        metrics.on_record(call_to(n));
    const std::string text = registry.render();
    EXPECT_NE(text.find(R"({endpoint="other",side="input",meter="engine"} 20)"), std::string::npos);
    EXPECT_EQ(
        text.find(to_string(EndpointId(RawId{9, SecondMeterMetrics::kEndpointsMax}))),
        std::string::npos
    );
}

TEST(SecondMeterMetrics, ACallWithoutTwoCountsMakesNoSeries) {
    telemetry::Registry registry;
    SecondMeterMetrics metrics(registry);
    CallRecord call = call_to(1);
    call.counted.reset();
    metrics.on_record(call);
    EXPECT_EQ(registry.render().find("second_meter"), std::string::npos);
}

}  // namespace
}  // namespace penstock::gateway
