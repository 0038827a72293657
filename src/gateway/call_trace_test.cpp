// SPDX-License-Identifier: Apache-2.0
#include "gateway/call_trace.h"

#include <gtest/gtest.h>

namespace penstock::gateway {
namespace {

const std::string kTrace = "0af7651916cd43dd8448eb211c80319c";
const std::string kSampled = "00-" + kTrace + "-b7ad6b7169203331-01";

TEST(CallTrace, GoesOnWithTheClientsTraceInASpanOfItsOwn) {
    SeededRandom random(1);
    const CallTrace trace =
        trace_of({{"traceparent", kSampled}, {"tracestate", "vendor=opaque"}}, 0, random);

    EXPECT_TRUE(trace.parent.starts_with("00-" + kTrace + "-"));
    EXPECT_TRUE(trace.parent.ends_with("-01"));
    EXPECT_FALSE(trace.parent.contains("b7ad6b7169203331"));
    EXPECT_TRUE(trace.sampled);
    EXPECT_EQ(trace.id, kTrace);
    http::Headers sent;
    add_trace(sent, trace);
    EXPECT_EQ(sent.get("traceparent"), trace.parent);
    EXPECT_EQ(sent.get("tracestate"), "vendor=opaque");
}

TEST(CallTrace, DropsAStateThatBelongsToNothing) {
    SeededRandom random(1);
    EXPECT_EQ(trace_of({{"tracestate", "vendor=opaque"}}, 0, random).state, "");
    EXPECT_EQ(
        trace_of({{"traceparent", "00-zz"}, {"tracestate", "vendor=opaque"}}, 0, random).state, ""
    );
    EXPECT_EQ(
        trace_of({{"traceparent", kSampled}, {"tracestate", std::string(513, 'a')}}, 0, random)
            .state,
        ""
    );
}

TEST(CallTrace, SamplesOneInSoManyNewTraces) {
    SeededRandom random(1);
    int sampled = 0;
    for (int i = 0; i < 10'000; ++i) sampled += trace_of({}, 10, random).sampled ? 1 : 0;
    EXPECT_NEAR(sampled, 1000, 150);
    for (int i = 0; i < 100; ++i) EXPECT_FALSE(trace_of({}, 0, random).sampled);
}

}  // namespace
}  // namespace penstock::gateway
