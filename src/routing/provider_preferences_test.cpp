// SPDX-License-Identifier: Apache-2.0
#include "routing/provider_preferences.h"

#include <gtest/gtest.h>

namespace penstock::routing {
namespace {

std::string problem_of(std::string_view json) {
    const auto read = parse_provider_preferences(json);
    return read ? "valid" : to_string(read.error());
}

TEST(ProviderPreferences, ReadsAllMembers) {
    const auto read = parse_provider_preferences(
        R"({"order":["a","b"],"only":["a","b","c"],"ignore":["d"],"regions":["cn-hubei"],)"
        R"("quantizations":["fp8","unknown"],"require_parameters":true,"zdr":true,)"
        R"("data_collection":"deny",)"
        R"("allow_fallbacks":false,"sort":"latency","max_price":{"prompt":1.5,"completion":"2"},)"
        R"("preferred_max_latency":0.5,"preferred_min_throughput":40})"
    );
    ASSERT_TRUE(read);
    const ProviderPreferences expected{
        .order = {"a", "b"},
        .only = {"a", "b", "c"},
        .ignore = {"d"},
        .regions = {"cn-hubei"},
        .quantizations = {"fp8", "unknown"},
        .require_parameters = true,
        .deny_data_collection = true,
        .zero_retention = true,
        .allow_fallbacks = false,
        .sort = ProviderPreferences::Sort::latency,
        .input_price_max = Price{15, 1},
        .output_price_max = Price{2, 0},
        .first_token_wished = 500ms,
        .tokens_per_second_wished = 40,
    };
    EXPECT_EQ(*read, expected);
}

TEST(ProviderPreferences, NullsAndNothingAreNoWish) {
    EXPECT_EQ(*parse_provider_preferences(R"({"order":null,"sort":null})"), ProviderPreferences());
    EXPECT_EQ(*parse_provider_preferences("{}"), ProviderPreferences());
}

TEST(ProviderPreferences, NamesWhatItDoesNotUnderstand) {
    EXPECT_EQ(problem_of("[]"), "invalid_argument: provider: expected an object");
    EXPECT_EQ(
        problem_of(R"({"order":"a"})"),
        "invalid_argument: provider.order: expected an array of names"
    );
    EXPECT_EQ(
        problem_of(R"({"sort":"size"})"),
        "invalid_argument: provider.sort: expected \"price\", \"throughput\" or \"latency\""
    );
    EXPECT_EQ(
        problem_of(R"({"preferred_min_throughput":-1})"),
        "invalid_argument: provider.preferred_min_throughput: expected a number above 0, at most "
        "1000000"
    );
    EXPECT_TRUE(problem_of(R"({"quantizations":["q4"]})").contains("provider.quantizations: 'q4'"));
    EXPECT_TRUE(problem_of(R"({"experimental":1})").contains("provider.experimental: not known"));
    EXPECT_TRUE(problem_of(R"({"zdr":1})").contains("provider.zdr: expected true or false"));
    EXPECT_TRUE(problem_of(R"({"data_collection":"no"})").contains("\"allow\" or \"deny\""));
    EXPECT_TRUE(problem_of(R"({"max_price":{"image":1}})").contains("max_price.image: not known"));
    EXPECT_TRUE(problem_of(R"({"max_price":{"prompt":-1}})").contains("provider.max_price.prompt"));
}

TEST(ProviderPreferences, HasALimitOnNames) {
    std::string json = R"({"only":["a")";
    for (int i = 0; i < 40; ++i) json += R"(,"a")";
    EXPECT_EQ(problem_of(json + "]}"), "invalid_argument: provider.only: more than 32 names");
}

}  // namespace
}  // namespace penstock::routing
