// SPDX-License-Identifier: Apache-2.0
#include "routing/route_wishes.h"

#include <gtest/gtest.h>

namespace penstock::routing {
namespace {

std::string left_of(std::string_view object) {
    RouteWishes wishes;
    const auto left = take_wishes(wishes, object);
    if (!left) return to_string(left.error());
    return left->value_or("unchanged");
}

TEST(RouteWishes, AreTakenOutOfARequest) {
    RouteWishes wishes;
    const auto left = take_wishes(
        wishes,
        R"({"model":"m","models":["n","o"],"provider":{"only":["a"]},"session_id":"s 1","n":1})"
    );
    EXPECT_EQ(**left, R"({"model":"m","n":1})");
    const RouteWishes expected{
        .provider = ProviderPreferences{.only = {"a"}}, .models = {"n", "o"}, .session = "s 1"
    };
    EXPECT_EQ(wishes, expected);
}

TEST(RouteWishes, TakeTheirCommasAlong) {
    EXPECT_EQ(left_of(R"({"provider":{},"a":1})"), R"({"a":1})");
    EXPECT_EQ(left_of(R"({"a":1 , "provider" : {} })"), R"({"a":1  })");
    EXPECT_EQ(left_of(R"({ "models":[],"a":1,"provider":{},"session_id":"x"})"), R"({ "a":1})");
    EXPECT_EQ(left_of(R"({"models":[],"provider":null,"a":1})"), R"({"a":1})");
    EXPECT_EQ(left_of(R"({"provider":{}})"), "{}");
    EXPECT_EQ(left_of(R"({"a":{"provider":{}}})"), "unchanged");
    EXPECT_EQ(left_of(R"([{"provider":{}}])"), "unchanged");
}

TEST(RouteWishes, NameWhatIsNotUnderstood) {
    EXPECT_EQ(
        left_of(R"({"models":"n"})"), "invalid_argument: models: expected an array of models' names"
    );
    EXPECT_EQ(
        left_of(R"({"models":["a","b","c","d","e"]})"),
        "invalid_argument: models: at most 4 models can follow"
    );
    EXPECT_EQ(
        left_of(R"({"session_id":""})"),
        "invalid_argument: session_id: expected a text of 1 to 256 bytes"
    );
    EXPECT_EQ(
        left_of(R"({"provider":{},"provider":{}})"),
        "invalid_argument: provider: 'provider' appears twice"
    );
    EXPECT_TRUE(left_of(R"({"provider":{"by":1}})").contains("provider.by: not known here"));
}

}  // namespace
}  // namespace penstock::routing
