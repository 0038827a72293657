// SPDX-License-Identifier: Apache-2.0
#include "dialects/splice.h"

#include <gtest/gtest.h>

namespace penstock::dialects {
namespace {

TEST(Splice, ReplacesOneMemberAndKeepsEveryOtherByte) {
    EXPECT_EQ(
        with_member(R"( { "a" : {"model":1},  "model" :"x" , "b":1.0} )", "model", R"("y")"),
        R"( { "a" : {"model":1},  "model" :"y" , "b":1.0} )"
    );
}

TEST(Splice, AddsAMemberThatIsNotThere) {
    EXPECT_EQ(with_member(R"({"a":1})", "b", "2"), R"({"b":2,"a":1})");
    EXPECT_EQ(with_member("{ }", "b", "2"), R"({"b":2 })");
}

TEST(Splice, LeavesWhatIsNoObject) {
    EXPECT_EQ(with_member("[1]", "b", "2"), "[1]");
    EXPECT_EQ(with_member(R"({"a":)", "b", "2"), R"({"a":)");
}

}  // namespace
}  // namespace penstock::dialects
