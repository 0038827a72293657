// SPDX-License-Identifier: Apache-2.0
#include "json/codec.h"

#include <gtest/gtest.h>

namespace penstock::json {
namespace {}  // namespace
enum class Phase { pending, done };
BOOST_DESCRIBE_ENUM(Phase, pending, done)
constexpr bool json_upper_case(Phase) { return true; }
namespace {

struct Need {
    std::string accelerator;
    std::int64_t count = 0;
    std::optional<std::uint8_t> share;
};
BOOST_DESCRIBE_STRUCT(Need, (), (accelerator, count, share))

struct Order {
    static constexpr KeyName kJsonKeys[] = {{"api_version", "apiVersion"}};
    std::string api_version;
    Phase phase = Phase::pending;
    Money price;
    std::vector<Need> needs;
    std::map<std::string, std::string> labels;
};
BOOST_DESCRIBE_STRUCT(Order, (), (api_version, phase, price, needs, labels))

struct Loose {
    static constexpr bool kJsonDefaults = true;
    std::int64_t retries = 3;
    std::string default_ = "x";
};
BOOST_DESCRIBE_STRUCT(Loose, (), (retries, default_))

std::string error_of(std::string_view text) {
    const Result<Order> order = parse<Order>(text);
    return order ? "no error" : to_string(order.error());
}

constexpr std::string_view kOrder =
    R"({"apiVersion":"v1","phase":"DONE","price":"1.50","needs":[{"accelerator":"H100","count":8}],"labels":{"a":"b"}})";

TEST(Codec, ReadsAndPrintsTheSameText) {
    const Result<Order> order = parse<Order>(kOrder);
    ASSERT_TRUE(order) << to_string(order.error());
    EXPECT_EQ(print(*order), kOrder);
}

struct Everything {
    bool flag = true;
    std::int8_t small = -128;
    std::uint64_t large = std::numeric_limits<std::uint64_t>::max();
    std::vector<double> numbers{0.1, -0.0, 1, 1e300, 2.5e-9};
    std::string text;
    std::optional<std::string> absent;
    std::vector<std::optional<std::int64_t>> holes{1, std::nullopt};
    std::map<std::string, std::vector<Need>> nested;
    Text kept{R"({"b":[1.5,"x"],"a":null})"};
    Phase phase = Phase::done;
    Time at = Time{} + std::chrono::milliseconds(1500);
    Duration span = std::chrono::seconds(90);
    Money money;
};
BOOST_DESCRIBE_STRUCT(
    Everything, (),
    (flag, small, large, numbers, text, absent, holes, nested, kept, phase, at, span, money)
)
struct Nothing {
    std::optional<bool> absent;
};
BOOST_DESCRIBE_STRUCT(Nothing, (), (absent))

TEST(Codec, PrintsWhatItsTreePrints) {
    Everything value;
    for (char c = 0; c < 127; ++c) value.text += c;
    value.text += "算力 \xF0\x9F\x98\x80";
    value.nested["quote\"\n"] = {{.accelerator = "H100", .count = -1, .share = 200}, {}};
    value.nested["empty"] = {};
    EXPECT_EQ(print(value), print_value(encode(value)));
    EXPECT_EQ(print(Nothing{}), "{}");
    EXPECT_EQ(print(Nothing{.absent = true}), R"({"absent":true})");
}

TEST(Codec, NamesThePathOfAWrongType) {
    EXPECT_EQ(
        error_of(
            R"({"apiVersion":"v1","phase":"DONE","price":"1.50","needs":[{"accelerator":"H100","count":"8"}],"labels":{}})"
        ),
        "invalid_argument: needs[0].count: expected integer, got string"
    );
}

TEST(Codec, AnAnswerMaySayMoreThanIsKnownButNotLessOrOtherwise) {
    const std::string_view newer =
        R"({"apiVersion":"v1","phase":"DONE","price":"1.50","colour":{"new":true},"needs":[{"accelerator":"H100","count":8,"shape":"x"}],"labels":{"a":"b"}})";
    const Result<Order> answer = parse_answer<Order>(newer);
    ASSERT_TRUE(answer) << to_string(answer.error());
    EXPECT_EQ(print(*answer), kOrder);
    EXPECT_FALSE(parse<Order>(newer));
    EXPECT_EQ(
        to_string(parse_answer<Need>(R"({"accelerator":"H100"})").error()),
        "invalid_argument: count: is missing"
    );
    EXPECT_FALSE(parse_answer<Need>(R"({"accelerator":1,"count":1})"));
}

TEST(Codec, SuggestsTheNearestNameForAnUnknownField) {
    EXPECT_EQ(
        error_of(
            R"({"apiVersion":"v1","phase":"DONE","price":"1.50","needs":[],"lables":{},"labels":{}})"
        ),
        "invalid_argument: lables: unknown field (did you mean 'labels'?)"
    );
}

TEST(Codec, RefusesAMissingFieldButNotAnAbsentOptional) {
    EXPECT_EQ(
        error_of(R"({"apiVersion":"v1","phase":"DONE","price":"1.50","needs":[]})"),
        "invalid_argument: labels: is missing"
    );
}

TEST(Codec, ListsTheValuesOfAnEnum) {
    EXPECT_EQ(
        error_of(R"({"apiVersion":"v1","phase":"NOW","price":"1.50","needs":[],"labels":{}})"),
        "invalid_argument: phase: 'NOW' is not one of PENDING, DONE"
    );
}

TEST(Codec, RefusesAnIntegerThatDoesNotFit) {
    const Result<Need> need = parse<Need>(R"({"accelerator":"H100","count":1,"share":256})");
    ASSERT_FALSE(need);
    EXPECT_EQ(
        to_string(need.error()), "invalid_argument: share: expected an integer from 0 to 255"
    );
}

TEST(Codec, KeepsDefaultsWhereTheStructAllows) {
    const Result<Loose> loose = parse<Loose>(R"({"default":"y"})");
    ASSERT_TRUE(loose);
    EXPECT_EQ(print(*loose), R"({"retries":3,"default":"y"})");
}

TEST(Codec, ReportsEveryMistakeAtOnce) {
    const auto result =
        decode_all<Order>(*parse_value(R"({"apiVersion":1,"phase":2,"needs":[],"labels":{}})"));
    ASSERT_FALSE(result);
    std::string all;
    for (const Error& error : result.error()) all += error.field + " ";
    EXPECT_EQ(all, "apiVersion phase price ");
}

TEST(Schema, DescribesAStructByReference) {
    Object definitions;
    EXPECT_EQ(print_value(schema<Need>(definitions)), R"({"$ref":"#/components/schemas/Need"})");
    EXPECT_EQ(
        print_value(definitions["Need"]),
        R"({"type":"object","properties":{"accelerator":{"type":"string"},"count":{"type":"integer","format":"int64"},"share":{"type":"integer","minimum":0}},"additionalProperties":false,"required":["accelerator","count"]})"
    );
}

}  // namespace
}  // namespace penstock::json
