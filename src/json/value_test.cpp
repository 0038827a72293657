// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <bit>
#include <boost/json.hpp>
#include <cmath>
#include <limits>
#include <random>

#include "json/json.h"

namespace penstock::json {
namespace {

std::string error_of(std::string_view text) {
    const Result<Value> value = parse_value(text);
    return value ? "no error" : value.error().message;
}

TEST(Value, NamesLineAndColumnOfAMistake) {
    EXPECT_EQ(error_of("{\n  \"a\": tru\n}"), "not valid JSON at line 2, column 8: syntax error");
}
TEST(Value, RefusesADuplicateKey) {
    EXPECT_EQ(
        error_of(R"({"a":{"b":1,"c":[{"b":2}],"b":3}})"), "the key 'b' stands twice in one object"
    );
    EXPECT_EQ(error_of(R"({"a":{"b":1},"b":"a"})"), "no error");
    EXPECT_EQ(error_of(R"({"":1,"":2})"), "the key '' stands twice in one object");
}
TEST(Value, RefusesWhatFollowsTheValue) { EXPECT_NE(error_of("{} {}"), "no error"); }
TEST(Value, RefusesInvalidUtf8) { EXPECT_NE(error_of("\"\xff\""), "no error"); }
TEST(Value, RefusesTooDeepNesting) {
    EXPECT_NE(
        error_of(std::string(kDepthMax + 1, '[') + std::string(kDepthMax + 1, ']')), "no error"
    );
}
// The digits of a carbon figure that was once read one unit in the last place off.
TEST(Value, ReadsEveryNumberAsItWasPrinted) {
    std::mt19937_64 random(7);
    std::uniform_int_distribution<std::uint64_t> any;
    std::vector<double> numbers = {0.0009219618055557177, 0.1, 5e-324, 1.7976931348623157e308};
    while (numbers.size() < 20'000) {
        const auto number = std::bit_cast<double>(any(random));
        if (std::isfinite(number)) numbers.push_back(number);
        numbers.push_back(std::ldexp(static_cast<double>(any(random) >> 11), -60));
    }
    for (const double number : numbers) {
        const Result<Value> read = parse_value(print_value(Value(number)));
        ASSERT_TRUE(read && read->is_double()) << number;
        EXPECT_EQ(read->get_double(), number);
    }
    EXPECT_EQ(parse_value("1e999")->get_double(), std::numeric_limits<double>::infinity());
}
TEST(Value, PrintsNumbersAsPeopleWriteThem) {
    const std::string_view text = R"([0.1,-2.5,1200.75,1.0,0.25,3,1e+300,1e-09,"0.1"])";
    EXPECT_EQ(print_value(*parse_value(text)), text);
    EXPECT_EQ(
        print_value(*parse_value("{\"a\": [ 1E-1, {\"b\": null} ]}")), R"({"a":[0.1,{"b":null}]})"
    );
}
TEST(Value, PrintsIndented) {
    EXPECT_EQ(
        print_value_pretty(*parse_value(R"({"a":[1,{}],"b":"x"})")),
        "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": \"x\"\n}"
    );
}

}  // namespace
}  // namespace penstock::json
