// SPDX-License-Identifier: Apache-2.0
#include "scheduler/next_callers.h"

#include <gtest/gtest.h>

namespace penstock::scheduler {
namespace {

// Sites beside the regions a, b and c, whose names they bear; b lies between the others.
class NextCallers : public testing::Test {
  protected:
    std::string for_whom(
        const std::vector<CallerShare>& callers, const std::vector<const SiteSpec*>& replicas
    ) const {
        std::string text;
        for (const CallerShare& caller : next_callers(callers, replicas))
            text += (text.empty() ? "" : " ") + caller.region;
        return text;
    }
    SiteSpec a_{.name = "a", .rtt_to = {{"a", 1}, {"b", 30}, {"c", 80}}};
    SiteSpec b_{.name = "b", .rtt_to = {{"a", 30}, {"b", 1}, {"c", 60}}};
    SiteSpec c_{.name = "c", .rtt_to = {{"a", 80}, {"b", 60}, {"c", 1}}};
    const std::vector<CallerShare> even_{{"a", 0.34}, {"b", 0.33}, {"c", 0.33}};
};

TEST_F(NextCallers, TheFirstReplicaIsForAll) { EXPECT_EQ(for_whom(even_, {}), "a b c"); }

TEST_F(NextCallers, TheSecondIsForThoseWhoAreFarFromTheFirst) {
    EXPECT_EQ(for_whom(even_, {&b_}), "c");
    EXPECT_EQ(for_whom(even_, {&c_}), "a");
}

TEST_F(NextCallers, TheLastRegionWithoutAReplicaOfItsOwnIsNext) {
    EXPECT_EQ(for_whom(even_, {&b_, &c_}), "a");
}

TEST_F(NextCallers, WhereEverybodyIsNearReplicasFollowTheCalls) {
    const std::vector<CallerShare> uneven{{"a", 0.6}, {"c", 0.4}};
    EXPECT_EQ(for_whom(uneven, {&a_}), "c");
    EXPECT_EQ(for_whom(uneven, {&a_, &c_}), "a");
    EXPECT_EQ(for_whom(uneven, {&a_, &a_, &c_}), "c");
    EXPECT_EQ(for_whom(uneven, {&a_, &a_, &c_, &c_}), "a");
}

TEST_F(NextCallers, ALoneRegionNeedsNoChoice) { EXPECT_EQ(for_whom({{"c", 1}}, {&a_}), "c"); }

TEST_F(NextCallers, RegionsOfWhichNothingIsKnownSayNothing) {
    EXPECT_EQ(for_whom({{"a", 0.6}, {"moon", 0.4}}, {&c_}), "a");
    EXPECT_EQ(for_whom({{"mars", 0.1}, {"moon", 0.9}}, {&c_}), "mars moon");
}

TEST_F(NextCallers, SharesNeedNotSumToOne) {
    EXPECT_EQ(for_whom({{"a", 60}, {"c", 40}}, {&a_, &c_}), "a");
}

TEST_F(NextCallers, TheOrderOfTheCallersDoesNotMatter) {
    EXPECT_EQ(for_whom({{"c", 0.5}, {"a", 0.5}}, {&b_}), for_whom({{"a", 0.5}, {"c", 0.5}}, {&b_}));
}

}  // namespace
}  // namespace penstock::scheduler
