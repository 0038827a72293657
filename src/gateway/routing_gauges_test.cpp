// SPDX-License-Identifier: Apache-2.0
#include "gateway/routing_gauges.h"

#include <gtest/gtest.h>

#include <numeric>
#include <string>
#include <vector>

namespace penstock::gateway {
namespace {

const Time kStart = Time(1'700'000'000s);

Route route(std::uint64_t n, std::string model) {
    Route made;
    made.endpoint.id = EndpointId(RawId{7, n});
    made.endpoint.model = std::move(model);
    made.endpoint.price_input = *parse_price("1");
    made.endpoint.price_output = *parse_price("1");
    return made;
}

struct Pool {
    routing::EndpointPool endpoints;
    SeededRandom random{1};
    telemetry::Registry registry;
    RoutingGauges gauges{registry};

    explicit Pool(std::vector<Route> routes) {
        EXPECT_TRUE(endpoints.replace(std::move(routes)).empty());
    }
    void fail(std::size_t times) {
        for (std::size_t i = 0; i < times; ++i)
            endpoints.finish(
                *endpoints.choose({.model = "m"}, kStart, random), routing::AttemptOutcome::failed,
                kStart
            );
    }
    std::string shown(Time now = kStart) {
        gauges.refresh(endpoints, now);
        return registry.render();
    }
};

std::string breakers(std::string_view model, std::string_view state, int count) {
    return "penstock_gateway_breakers{model=\"" + std::string(model) + "\",state=\"" +
           std::string(state) + "\"} " + std::to_string(count) + "\n";
}

TEST(RoutingGauges, TellTheBreakersOfEachModelByTheirState) {
    Pool f({route(1, "m"), route(2, "n")});
    f.fail(routing::Breaker::kAttemptsMin);

    const std::string text = f.shown();
    EXPECT_TRUE(text.contains("# TYPE penstock_gateway_breakers gauge\n"));
    EXPECT_TRUE(text.contains(breakers("m", "closed", 0))) << text;
    EXPECT_TRUE(text.contains(breakers("m", "open", 1))) << text;
    EXPECT_TRUE(text.contains(breakers("n", "closed", 1))) << text;
    EXPECT_TRUE(f.shown(kStart + 3s).contains(breakers("m", "half_open", 1)));
}

TEST(RoutingGauges, AModelThatLeftTheTableHasNoBreakers) {
    Pool f({route(1, "m"), route(2, "n")});
    f.shown();
    f.endpoints.replace({route(2, "n")});

    const std::string text = f.shown();
    EXPECT_TRUE(text.contains(breakers("m", "closed", 0))) << text;
    EXPECT_TRUE(text.contains("penstock_gateway_retries_left{model=\"m\"} NaN\n")) << text;
}

TEST(RoutingGauges, TellTheRetriesThatAreLeft) {
    Pool f({route(1, "m")});
    const int before = f.endpoints.retries("m")->retries_left();
    EXPECT_TRUE(f.endpoints.retries("m")->try_retry());

    EXPECT_TRUE(f.shown().contains(
        "penstock_gateway_retries_left{model=\"m\"} " + std::to_string(before - 1) + "\n"
    ));
}

TEST(RoutingGauges, ModelsAboveTheMostShareTheirSeries) {
    std::vector<Route> routes;
    for (std::uint64_t n = 0; n < RoutingGauges::kModelsMax + 3; ++n)
        routes.push_back(route(n + 1, "model-" + std::to_string(n)));
    Pool f(std::move(routes));

    const std::string text = f.shown();
    EXPECT_TRUE(text.contains(breakers("other", "closed", 3))) << text;
    EXPECT_TRUE(text.contains("penstock_gateway_retries_left{model=\"other\"} 10\n")) << text;
}

TEST(RoutingGauges, TellHowFullTheIndexOfPromptsIs) {
    Pool f({route(1, "m")});
    const std::vector<routing::BlockHash> prompt{1, 2, 3};
    ASSERT_TRUE(f.endpoints.choose({.model = "m", .prompt = prompt}, kStart, f.random));

    const std::string text = f.shown();
    const std::string bytes = std::to_string(f.endpoints.prefixes().bytes());
    EXPECT_GT(f.endpoints.prefixes().bytes(), 0U);
    EXPECT_TRUE(
        text.contains("penstock_gateway_prefix_index_bytes{index=\"prompts\"} " + bytes + "\n")
    ) << text;
    EXPECT_TRUE(text.contains("penstock_gateway_prefix_index_bytes{index=\"sessions\"} 0\n"))
        << text;
    EXPECT_TRUE(text.contains(
        "penstock_gateway_prefix_index_bytes_max{index=\"prompts\"} " +
        std::to_string(routing::PrefixIndex::kBytesMax) + "\n"
    )) << text;
    EXPECT_TRUE(text.contains("penstock_gateway_prefix_index_evictions_total{index=\"prompts\"} 0\n"
    )) << text;
}

TEST(RoutingGauges, CountWhatMadeRoomInTheIndex) {
    Pool f({route(1, "m")});
    std::vector<routing::BlockHash> prompt(700'000);
    std::iota(prompt.begin(), prompt.end(), 1);
    ASSERT_TRUE(f.endpoints.choose({.model = "m", .prompt = prompt}, kStart, f.random));

    const std::string text = f.shown();
    EXPECT_GT(f.endpoints.prefixes().evictions(), 0);
    EXPECT_TRUE(text.contains(
        "penstock_gateway_prefix_index_evictions_total{index=\"prompts\"} " +
        std::to_string(f.endpoints.prefixes().evictions()) + "\n"
    )) << text;
}

}  // namespace
}  // namespace penstock::gateway
