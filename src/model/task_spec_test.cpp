// SPDX-License-Identifier: Apache-2.0
#include "model/task_spec.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace penstock {
namespace {

std::string mistakes(std::string_view text) {
    const auto spec = parse_task_spec(*json::parse_value(text));
    if (spec) return "none";
    std::string all;
    for (const Error& error : spec.error()) all += error.field + ": " + error.message + "\n";
    return all;
}
TaskSpec read(std::string_view text) {
    auto spec = parse_task_spec(*json::parse_value(text));
    EXPECT_TRUE(spec) << mistakes(text);
    return spec ? *spec : TaskSpec{};
}

TEST(TaskSpec, NeedsNothingButRun) { EXPECT_EQ(read(R"({"run":"true"})").run, "true"); }

TEST(TaskSpec, RefusesAnUnknownFieldWithASuggestion) {
    EXPECT_EQ(
        mistakes(R"({"run":"true","resouces":{}})"),
        "resouces: unknown field (did you mean 'resources'?)\n"
    );
}

TEST(TaskSpec, ReadsBothSpellingsOfAnAcceleratorSet) {
    const auto choices = [](std::string_view text) {
        return read(text).resources.accelerators->choices;
    };
    EXPECT_EQ(
        choices(R"({"run":"x","resources":{"accelerators":{"H100:8":null}}})"),
        choices(R"({"run":"x","resources":{"accelerators":{"H100":8}}})")
    );
    EXPECT_TRUE(read(R"({"run":"x","resources":{"accelerators":["H100:8","A100:8"]}})")
                    .resources.accelerators->ordered);
}

TEST(TaskSpec, NormalisesWeights) {
    const Strategy strategy =
        read(R"({"run":"x","placement":{"optimize":{"cost":1,"green":3}}})").placement->optimize;
    EXPECT_DOUBLE_EQ(strategy.cost, 0.25);
    EXPECT_DOUBLE_EQ(strategy.green, 0.75);
}

TEST(TaskSpec, NamesWhatItCannotExecuteYet) {
    EXPECT_EQ(
        mistakes(R"({"kind":"Service","service":{},"run":"x","num_nodes":2,"secrets":{"A":"b"}})"),
        "num_nodes: is understood but not executable yet: replicas over several nodes; use "
        "num_nodes: 1 and service.replicas\n"
        "secrets: is understood but not executable yet: the secret store; leave it out: values "
        "would not be protected\n"
    );
}

TEST(TaskSpec, RefusesPricesOfAServiceThatCannotBeCharged) {
    const auto service = [](const std::string& prices) {
        return mistakes(
            R"({"kind":"Service","run":"x","service":{"protocol":"openai","model":"m",)" + prices +
            "}}"
        );
    };
    const std::string negative =
        "may not be negative: it is what a million tokens cost; leave it out for the site's "
        "price\n";
    EXPECT_EQ(service(R"("price_input":"-0.1")"), "service.price_input: " + negative);
    EXPECT_EQ(service(R"("price_output":"-1")"), "service.price_output: " + negative);
    EXPECT_EQ(
        service(R"("class_prices":{"cache_read":"0.0000000001"})"),
        "service.class_prices.cache_read: has more than 9 decimals: the finest price is "
        "0.000000001 yuan per million tokens\n"
    );
    EXPECT_EQ(service(R"("price_input":"0","class_prices":{"cache_read":"0"})"), "none");
}

std::string topology(const std::string& text, int nodes = 4) {
    return mistakes(
        R"({"run":"x","num_nodes":)" + std::to_string(nodes) + R"(,"placement":{"topology":)" +
        text + "}}"
    );
}

TEST(TaskSpec, ReadsHowAGangMayLie) {
    for (const char* good :
         {R"({"pack":"domain"})", R"({"pack":"rack"})", R"({"pack":"site","max_sites":1})",
          R"({"pack":"metro"})", R"({"pack":"any","max_sites":2})", R"({"spread":"rack"})",
          R"({"spread":"site"})", R"({"pack":"site","spread":"rack"})"})
        EXPECT_EQ(topology(good), "none") << good;
    EXPECT_EQ(
        topology(R"({"pack":"room"})"),
        "placement.topology.pack: 'room' is not one of domain, rack, site, metro, any\n"
    );
    EXPECT_EQ(
        topology(R"({"pack":"site","max_sites":2})"),
        "placement.topology.max_sites: contradicts pack: site, which is within one site: say pack: "
        "any\n"
    );
    EXPECT_EQ(
        topology(R"({"pack":"rack","spread":"rack"})"),
        "placement.topology.spread: contradicts pack: rack: say pack: site, or leave spread out\n"
    );
    EXPECT_EQ(
        topology(R"({"spread":"site","max_sites":3})"),
        "placement.topology.spread: wants as many sites as nodes: allow them with pack: any and "
        "without max_sites\n"
    );
    EXPECT_EQ(topology("{}", 257), "num_nodes: must be at most 256\n");
}

TEST(TaskSpec, RefusesInputsThatLeaveTheWorkDirectory) {
    EXPECT_EQ(
        mistakes(R"({"run":"x","inputs":[{"task":"train","to":"../etc"},{"task":""}]})"),
        "inputs[0].to: must stay below the work directory: for instance in/model\n"
        "inputs[1].task: is missing: the task whose outputs are taken\n"
    );
}

TEST(TaskSpec, ReportsEveryMistakeAtOnce) {
    EXPECT_EQ(
        mistakes(R"({"name":"Bad Name","budget":{"max_total":"0"},"outputs":[{"path":"../x"}]})"),
        "name: use 1 to 63 of a-z 0-9 - . _, starting with a letter or digit\n"
        "run: is missing: state the command to run, for instance `run: python train.py`\n"
        "outputs[0].path: must stay below the work directory or /out: for instance out/*.png\n"
        "budget.max_total: must be above zero\n"
    );
}

TEST(TaskSpec, PrintsAndReadsBackToTheSameValue) {
    const TaskSpec spec = read(
        R"({"run":"x","resources":{"cpus":"2+","memory":0.5,"accelerators":"H100:8"},"envs":{"N":3,"B":true},
        "checkpoint":{"path":"ckpt","every":"2s"},"array":{"params":{"Frame":"1-12:1"},"chunk":3}})"
    );
    EXPECT_EQ(*json::parse<TaskSpec>(json::print(spec)), spec);
}

TEST(Array, MakesTheProductOfItsParameters) {
    const auto points = expand_array({.params = {{"Frame", "1-5:2"}, {"Eye", "left,right"}}});
    ASSERT_TRUE(points);
    EXPECT_EQ(points->size(), 6U);
    EXPECT_EQ((*points)[1].at("Frame"), "3");
    EXPECT_EQ((*points)[1].at("Eye"), "left");
}

TEST(Array, RefusesTooManyItems) {
    EXPECT_FALSE(expand_array({.params = {{"Frame", "1-20000"}}}));
    EXPECT_FALSE(expand_array({.params = {{"A", "1-200"}, {"B", "1-200"}}}));
    EXPECT_FALSE(expand_array({.params = {{"A", "5-1"}}}));
}

}  // namespace
}  // namespace penstock
