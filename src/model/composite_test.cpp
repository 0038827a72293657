// SPDX-License-Identifier: Apache-2.0
#include "model/composite.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace penstock {
namespace {

std::string mistakes(const std::string& text) {
    const auto spec = parse_composite_spec(*json::parse_value(text));
    std::string all;
    if (!spec)
        for (const Error& error : spec.error()) all += error.field + ": " + error.message + "\n";
    return all;
}

TEST(Composite, IsSeveralTasksOfWhichLaterOnesTakeWhatEarlierOnesLeave) {
    const json::Value document = *json::parse_value(R"({"kind":"Composite","name":"chat","parts":[
        {"name":"train","run":"x","outputs":[{"path":"out/model"}]},
        {"name":"serve","kind":"Service","run":"y","service":{},"inputs":[{"task":"train","to":"model"}]}]})"
    );

    const auto spec = parse_composite_spec(document);

    ASSERT_TRUE(spec) << spec.error().front().message;
    EXPECT_TRUE(is_composite(document));
    EXPECT_EQ(spec->parts[1].inputs->front().task, "train");
    EXPECT_EQ(*json::parse<CompositeSpec>(json::print(*spec)), *spec);
}

TEST(Composite, NamesTheMistakesOfItsPartsByTheirPath) {
    EXPECT_EQ(
        mistakes(R"({"kind":"Composite","name":"c","parts":[{"name":"a","run":"x"},{"name":"b"}]})"
        ),
        "parts[1].run: is missing: state the command to run, for instance `run: python train.py`\n"
    );
    EXPECT_EQ(
        mistakes(R"({"kind":"Composite","name":"c","parts":[{"name":"a","run":"x"}]})"),
        "parts: must be a list of 2 to 16 tasks, each with a `name` of its own\n"
    );
    EXPECT_EQ(
        mistakes(R"({"kind":"Composite","name":"c","parts":[
            {"name":"a","run":"x","inputs":[{"task":"b"}]},{"name":"b","run":"x"},
            {"name":"b","run":"x"},{"run":"x"}]})"),
        "parts[0].inputs[0].task: 'b' stands later: put the part that leaves something first\n"
        "parts[2].name: 'b' stands twice: give each part a name of its own\n"
        "parts[3].name: is missing: parts are named, so that others can take what they leave\n"
    );
    EXPECT_EQ(
        mistakes(
            R"({"kind":"Composite","nam":"c","parts":[{"name":"a","run":"x"},{"name":"b","run":"x"}]})"
        )
            .substr(0, 5),
        "nam: "
    );
}

}  // namespace
}  // namespace penstock
