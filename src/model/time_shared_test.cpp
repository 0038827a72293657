// SPDX-License-Identifier: Apache-2.0
#include "model/time_shared.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace penstock {
namespace {

// The fields that are refused of a task that is right but for `changes`, which go on top of it.
std::string refused(std::string_view changes) {
    json::Object spec = json::parse_value(R"({
        "run": "true", "checkpoint": {},
        "resources": {"accelerators": {"H100": 1, "A10": 1}},
        "schedule": {"time_shared": {"rates": {"H100": 8, "A10": 2.5}}}
    })")
                            ->as_object();
    const json::Value over = *json::parse_value(changes);
    for (const auto& [key, value] : over.as_object()) {
        if (value.is_null())
            spec.erase(key);
        else
            spec[key] = value;
    }
    const auto parsed = parse_task_spec(spec);
    std::string fields;
    if (!parsed)
        for (const Error& error : parsed.error())
            fields += (fields.empty() ? "" : " ") + error.field;
    return fields;
}

TEST(TimeShared, TakesASetOfAcceleratorsWithRatesOrWithout) {
    EXPECT_EQ(refused("{}"), "");
    EXPECT_EQ(refused(R"({"schedule": {"time_shared": {}}})"), "");
    EXPECT_EQ(
        refused(R"({"schedule": {"time_shared": {}}, "resources": {"accelerators": "H100:2"}})"), ""
    );
}

TEST(TimeShared, IsPreemptible) {
    const auto spec = parse_task_spec(*json::parse_value(
        R"({"run": "x", "checkpoint": {}, "resources": {"accelerators": "H100:1"}, "schedule": {"time_shared": {}}})"
    ));
    ASSERT_TRUE(spec);
    EXPECT_TRUE(is_time_shared(*spec));
    EXPECT_TRUE(is_preemptible(*spec));
}

TEST(TimeShared, NamesEachFieldThatDoesNotGoWithIt) {
    EXPECT_EQ(refused(R"({"checkpoint": null})"), "checkpoint");
    EXPECT_EQ(refused(R"({"checkpoint": {"resume": "never"}})"), "checkpoint.resume");
    EXPECT_EQ(refused(R"({"preemptible": false})"), "preemptible");
    EXPECT_EQ(refused(R"({"num_nodes": 2})"), "schedule.time_shared");
    EXPECT_EQ(refused(R"({"array": {"params": {"I": "1-4"}}})"), "schedule.time_shared");
    EXPECT_EQ(refused(R"({"kind": "Render"})"), "schedule.time_shared");
    EXPECT_EQ(
        refused(R"({"resources": {"accelerators": ["H100:1", "A10:1"]}})"), "resources.accelerators"
    );
    EXPECT_EQ(
        refused(R"({"resources": {"accelerators": {"H100": 0.5, "A10": 0.5}}})"),
        "resources.accelerators resources.accelerators"
    );
    EXPECT_EQ(
        refused(R"({"resources": {"accelerators": {"H100": 1, "A10": 4}}})"),
        "resources.accelerators"
    );
    EXPECT_EQ(
        refused(R"({"resources": {}, "schedule": {"time_shared": {}}})"), "resources.accelerators"
    );
}

TEST(TimeShared, RatesAreForEveryModelAskedForOrForNone) {
    const auto rates = [](const std::string& shared) {
        return refused(R"({"schedule": {"time_shared": )" + shared + "}}");
    };
    EXPECT_EQ(rates(R"({"rates": {"H100": 8}})"), "schedule.time_shared.rates");
    EXPECT_EQ(
        rates(R"({"rates": {"H100": 8, "A10": 2, "T4": 1}})"), "schedule.time_shared.rates.T4"
    );
    EXPECT_EQ(rates(R"({"rates": {"H100": 8, "A10": 0}})"), "schedule.time_shared.rates.A10");
    EXPECT_EQ(rates(R"({"rate_min": 3})"), "schedule.time_shared.rate_min");
    EXPECT_EQ(
        rates(R"({"rates": {"H100": 8, "A10": 2}, "rate_min": 9})"), "schedule.time_shared.rate_min"
    );
}

}  // namespace
}  // namespace penstock
