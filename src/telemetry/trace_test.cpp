// SPDX-License-Identifier: Apache-2.0
#include "telemetry/trace.h"

#include <gtest/gtest.h>

namespace penstock::telemetry {
namespace {

constexpr std::string_view kExample = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

TEST(Traceparent, IsReadAndWritten) {
    const Result<TraceContext> context = parse_traceparent(kExample);

    ASSERT_TRUE(context.has_value());
    EXPECT_TRUE(context->sampled);
    EXPECT_EQ(trace_id_text(*context), "0af7651916cd43dd8448eb211c80319c");
    EXPECT_EQ(to_traceparent(*context), kExample);
}

TEST(Traceparent, RefusesWhatTheStandardRefuses) {
    for (const char* bad :
         {"", "00", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
          "00-00000000000000000000000000000000-b7ad6b7169203331-01",
          "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
          "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
          "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
          "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more"})
        EXPECT_FALSE(parse_traceparent(bad).has_value()) << bad;
}

TEST(Traceparent, ReadsLaterVersionsByTheirKnownPart) {
    EXPECT_TRUE(parse_traceparent("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more")
                    .has_value());
}

TEST(Traceparent, AChildStaysInItsTrace) {
    SeededRandom random(7);
    const TraceContext parent = new_trace(random, false);

    const TraceContext child = child_of(parent, random);

    EXPECT_EQ(child.trace_id, parent.trace_id);
    EXPECT_NE(child.span_id, parent.span_id);
    EXPECT_EQ(parse_traceparent(to_traceparent(child)), child);
}

}  // namespace
}  // namespace penstock::telemetry
