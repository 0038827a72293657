// SPDX-License-Identifier: Apache-2.0
#include "server/recent_ids.h"

#include <gtest/gtest.h>

namespace penstock::server {
namespace {

TEST(RecentIds, ForgetsTheOldestFirstAndCountsAll) {
    RecentIds ids(3);
    for (const char* id : {"a", "b", "c", "d"}) ids.add(id);

    EXPECT_FALSE(ids.contains("a"));
    EXPECT_TRUE(ids.contains("b"));
    EXPECT_TRUE(ids.contains("d"));
    EXPECT_EQ(ids.added(), 4U);
}

TEST(RecentIds, AnIdThatIsThereTakesNoRoom) {
    RecentIds ids(2);
    for (const char* id : {"a", "b", "b", "b"}) ids.add(id);

    EXPECT_TRUE(ids.contains("a"));
    EXPECT_EQ(ids.added(), 2U);
}

}  // namespace
}  // namespace penstock::server
