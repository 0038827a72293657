// SPDX-License-Identifier: Apache-2.0
#include "dialects/json_tree.h"

#include <gtest/gtest.h>

namespace penstock::dialects {
namespace {

TEST(Json, KeepsOrderAndNumbersAsWritten) {
    const std::string text =
        R"({"b":1.0,"a":[12345678901234567890123,-0,1e400,true,null,"ä"],"":{}})";

    const Result<Json> value = parse_json(text);

    ASSERT_TRUE(value);
    EXPECT_EQ(print_json(*value), text);
}

TEST(Json, ComparesObjectsWithoutTheirOrder) {
    EXPECT_TRUE(*parse_json(R"({"a":1,"b":[1,2]})") == *parse_json(R"({"b":[1,2],"a":1})"));
    EXPECT_FALSE(*parse_json(R"({"a":1})") == *parse_json(R"({"a":1,"b":null})"));
    EXPECT_FALSE(*parse_json("[1,2]") == *parse_json("[2,1]"));
    EXPECT_FALSE(*parse_json("1.0") == *parse_json("1"));
}

TEST(Json, RefusesARepeatedMemberAtAnyDepth) {
    const Result<Json> value = parse_json(R"({"a":[{"x":1,"y":2,"x":3}]})");

    ASSERT_FALSE(value);
    EXPECT_EQ(to_string(value.error()), "invalid_argument: x: 'x' appears twice");
    EXPECT_FALSE(parse_json(R"({"":1,"":2})")) << "the empty name is one";
}

TEST(Json, RefusesWhatIsNotJson) {
    for (const char* text : {"", "{", "[1,]", "{\"a\" 1}", "nul", "1 2", "\"\\ud800\""})
        EXPECT_FALSE(parse_json(text)) << text;
    EXPECT_TRUE(parse_json("\"\\ud800\"", JsonFrom::engine));
}

TEST(Json, MergesWhatIsMissingOnly) {
    Json::Object object{{"a", 1}, {"b", Json::Object{{"x", 1}}}};

    merge(object, {{"a", 2}, {"b", Json::Object{{"x", 2}, {"y", 3}}}, {"c", nullptr}});

    EXPECT_EQ(print_json(object), R"({"a":1,"b":{"x":1,"y":3},"c":null})");
}

}  // namespace
}  // namespace penstock::dialects
