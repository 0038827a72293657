// SPDX-License-Identifier: Apache-2.0
#include "base/id.h"

#include <gtest/gtest.h>

namespace penstock {
namespace {

struct TaskTag {
    static constexpr std::string_view kPrefix = "tk";
};

TEST(Id, PrintsItsKindAndReadsBack) {
    SeededRandom random(1);
    IdSource ids(random);
    const auto id = ids.next<Id<TaskTag>>(*parse_rfc3339("2026-11-24T00:00:00Z"));
    const std::string text = to_string(id);
    EXPECT_TRUE(text.starts_with("tk_01")) << text;
    EXPECT_EQ(Id<TaskTag>::parse(text), id);
}

TEST(Id, RefusesAnotherKindAndMalformedText) {
    EXPECT_FALSE(Id<TaskTag>::parse("of_01jd0000000000000000000000"));
    EXPECT_FALSE(Id<TaskTag>::parse("tk_01jd000000000000000000000"));
    EXPECT_FALSE(Id<TaskTag>::parse("tk_81jd0000000000000000000000"));
    EXPECT_FALSE(Id<TaskTag>::parse("tk_01jd000000000000000000000u"));
}

TEST(Id, RisesWithinOneMillisecondAndWhenTheClockRunsBack) {
    SeededRandom random(7);
    IdSource ids(random);
    const Time start = *parse_rfc3339("2026-11-24T00:00:00Z");
    RawId last = ids.next_raw(start);
    int out_of_order = 0;
    for (int i = 0; i < 100'000; ++i) {
        const RawId id = ids.next_raw(start - 1ms * (i % 3));
        out_of_order += id <= last ? 1 : 0;
        last = id;
    }
    EXPECT_EQ(out_of_order, 0);
}

}  // namespace
}  // namespace penstock
