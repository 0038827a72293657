// SPDX-License-Identifier: Apache-2.0
#include "model/alternatives.h"

#include <gtest/gtest.h>

#include "json/json.h"
#include "model/quantity_codec.h"

namespace penstock {
namespace {

std::string mistakes(std::string_view resources) {
    const std::string text = R"({"run":"x","resources":)" + std::string(resources) + "}";
    const auto spec = parse_task_spec(*json::parse_value(text));
    if (spec) return "none";
    return spec.error().front().field + ": " + spec.error().front().message;
}

ResourcesSpec read(std::string_view resources) {
    const std::string text = R"({"run":"x","resources":)" + std::string(resources) + "}";
    auto spec = parse_task_spec(*json::parse_value(text));
    return spec ? spec->resources : ResourcesSpec{};
}

TEST(Alternatives, StateForAllWhatEachNames) {
    const ResourcesSpec resources = read(
        R"({"any_of":[{"infra":"acme","accelerators":"H100:8"},{"accelerators":{"A100:8":null,"H100:8":null}}]})"
    );

    ASSERT_TRUE(resources.accelerators);
    EXPECT_EQ(
        resources.accelerators->choices,
        (std::vector{*parse_accelerator("H100:8"), *parse_accelerator("A100:8")})
    );
    EXPECT_EQ(alternatives_of(resources).size(), 2);
}

TEST(Alternatives, ReadAgainAsTheyWereStored) {
    const auto first = parse_task_spec(*json::parse_value(
        R"({"run":"x","resources":{"ordered":[{"accelerators":"H100:8"},{"infra":"*/cn-hubei","accelerators":"A10:1"}]}})"
    ));
    const auto second = parse_task_spec(*json::parse_value(json::print(*first)));

    ASSERT_TRUE(second);
    EXPECT_EQ(second->resources, first->resources);
}

TEST(Alternatives, NameTheMistake) {
    EXPECT_EQ(
        mistakes(R"({"any_of":[{"infra":"a"}],"ordered":[{"infra":"b"}]})"),
        "resources.ordered: cannot be stated beside resources.any_of: choose one"
    );
    EXPECT_EQ(
        mistakes(R"({"any_of":[{}]})"),
        "resources.any_of[0]: names neither infra nor accelerators: state one, or drop it"
    );
    EXPECT_EQ(
        mistakes(R"({"ordered":[{"accelerators":"H100:1"},{"infra":"a"}]})"),
        "resources.ordered[1].accelerators: is missing, and other alternatives have it: state it, "
        "or resources.accelerators for those that do not"
    );
    EXPECT_EQ(
        mistakes(R"({"accelerators":"A10:1","any_of":[{"accelerators":"H100:1"}]})"),
        "resources.any_of[0].accelerators: 'H100:1' is not among resources.accelerators: add it "
        "there, or leave that out"
    );
}

TEST(Alternatives, AreBounded) {
    std::string many = R"({"any_of":[)";
    for (std::size_t i = 0; i <= kAlternativesMax; ++i)
        many += std::string(i == 0 ? "" : ",") + R"({"infra":"a"})";

    EXPECT_EQ(
        mistakes(many + "]}"), "resources.any_of: has 33 alternatives, at most 32 are possible"
    );
}

}  // namespace
}  // namespace penstock
