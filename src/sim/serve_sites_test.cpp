// SPDX-License-Identifier: Apache-2.0
#include "sim/serve_sites.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "sim/replica_placer.h"
#include "sim/serve_sweep.h"

namespace penstock::sim {
namespace {

// Three regions with a site each; b lies between the others, and c is dear.
constexpr std::string_view kSites =
    "site,pue,engines,engine_price_per_hour\n"
    "a,1.3,2,1\n"
    "b,1.3,2,1\n"
    "c,1.3,2,9\n";
constexpr std::string_view kLinks =
    "from,to,rtt_ms,bandwidth_mbps\n"
    "a,a,2,1000\na,b,60,1000\na,c,160,1000\n"
    "b,a,60,1000\nb,b,2,1000\nb,c,120,1000\n"
    "c,a,160,1000\nc,b,120,1000\nc,c,2,1000\n";

Result<ServeSites> read(
    std::string_view callers = "", std::string_view sites = kSites, std::string_view links = kLinks
) {
    return read_serve_sites(
        *Csv::parse(sites, "sites.csv"), *Csv::parse(links, "links.csv"), callers
    );
}
std::string complaint(
    std::string_view callers, std::string_view sites = kSites, std::string_view links = kLinks
) {
    const auto found = read(callers, sites, links);
    return found ? "" : found.error().message;
}

// Calls of one size at an even pace.
std::vector<ServeRequest> calls(std::size_t count, Duration pause) {
    std::vector<ServeRequest> trace;
    for (std::size_t i = 0; i < count; ++i)
        trace.push_back(
            {.at = pause * static_cast<std::int64_t>(i),
             .input_tokens = 400,
             .output_tokens = 20,
             .prompt = {}}
        );
    return trace;
}

std::string sites_with_replicas(const ServeResult& result) {
    std::string text;
    for (const ServeSiteResult& site : result.sites)
        text += site.site + std::to_string(site.replicas_most) + " ";
    return text;
}

TEST(ServeSites, ReadsTheTablesOfSimSites) {
    const ServeSites sites = *read("a=3,c=1");
    EXPECT_EQ(sites.callers, (std::vector<CallerShare>{{"a", 0.75}, {"c", 0.25}}));
    EXPECT_EQ(sites.round_trip(1, 0), 160ms);
    EXPECT_EQ(sites.engines, (std::vector<std::int64_t>{2, 2, 2}));
}

TEST(ServeSites, NamesWhatIsWrong) {
    EXPECT_EQ(complaint("a"), "'a': write REGION=PART,…");
    EXPECT_EQ(complaint("moon=1"), "'moon' stands in no line of the links file under from");
    EXPECT_EQ(complaint("a=1,a=2"), "a is named twice");
    EXPECT_EQ(complaint("a=-1"), "'-1' is no number above 0");
    EXPECT_EQ(complaint("", "site\na\n").substr(0, 34), "sites.csv:1: there is no column en");
    EXPECT_EQ(
        complaint("", kSites, "from,to,rtt_ms\na,a,1\na,b,1\n"), "links.csv: no link from a to c"
    );
    EXPECT_EQ(
        complaint("", kSites, "from,to,rtt_ms\na,d,1\n"),
        "links.csv:2: column to: 'd' is no site of the sites file"
    );
}

TEST(ServeSites, RegionsAreDrawnByTheirSharesAndRepeatable) {
    const ServeSites sites = *read("a=3,c=1");
    const auto regions = regions_of_calls(sites, 10'000, 7);
    EXPECT_NEAR(static_cast<double>(std::ranges::count(regions, 0)), 7500, 200);
    EXPECT_EQ(regions, regions_of_calls(sites, 10'000, 7));
    EXPECT_NE(regions, regions_of_calls(sites, 10'000, 8));
}

TEST(ServeSites, ReplicasGoWhereTheirCallersAre) {
    const ServeSites sites = *read("a=2,b=1,c=2");
    const auto trace = calls(200, 500ms);
    ServeOptions options{.sites = &sites, .replicas = 3};
    EXPECT_EQ(sites_with_replicas(*run_serve(trace, options, nullptr)), "a1 b1 c1 ");
    options.placement = "alone";
    EXPECT_EQ(sites_with_replicas(*run_serve(trace, options, nullptr)), "a1 b2 c0 ");
    options.placement = "nearest";
    EXPECT_EQ(sites_with_replicas(*run_serve(trace, options, nullptr)), "a2 b1 c0 ");
    options.replicas = 2;
    options.placement = "one_site";
    EXPECT_EQ(sites_with_replicas(*run_serve(trace, options, nullptr)), "a0 b2 c0 ");
}

TEST(ServeSites, AStrategyWeighsPricesAgainstRoundTrips) {
    const ServeSites sites = *read("c=1");
    const auto trace = calls(20, 1s);
    ServeOptions options{.sites = &sites, .replicas = 1};
    EXPECT_EQ(sites_with_replicas(*run_serve(trace, options, nullptr)), "a0 b0 c1 ");
    options.strategy = {.cost = 1};
    EXPECT_EQ(sites_with_replicas(*run_serve(trace, options, nullptr)), "a0 b1 c0 ");
}

TEST(ServeSites, TheRoundTripIsPartOfTheFirstToken) {
    const ServeSites sites = *read("a=1");
    const ServeSites links_without = *read(
        "a=1", kSites,
        "from,to,rtt_ms\na,a,0\na,b,0\na,c,0\nb,a,0\nb,b,0\nb,c,0\nc,a,0\nc,b,0\nc,c,0\n"
    );
    const auto trace = calls(50, 2s);
    ServeOptions options{.sites = &sites, .placement = "one_site", .replicas = 1};
    const ServeResult near = *run_serve(trace, options, nullptr);
    options.sites = &links_without;
    const ServeResult here = *run_serve(trace, options, nullptr);
    EXPECT_NEAR(near.first_token_ms_p50 - here.first_token_ms_p50, 2, 1e-6);
    EXPECT_NEAR(near.first_token_ms_p99 - here.first_token_ms_p99, 2, 1e-6);
    EXPECT_EQ(near.token_gap_ms_p99, here.token_gap_ms_p99);
}

// A single engine at the end of the world: every region sees its own distance.
TEST(ServeSites, EveryRegionSeesItsOwnDistance) {
    const ServeSites sites = *read("a=1,c=1");
    ServeOptions options{.sites = &sites, .strategy = {.latency = 1}, .replicas = 1};
    options.placement = "by_region";
    const ServeResult result = *run_serve(calls(400, 2s), options, nullptr);
    ASSERT_EQ(sites_with_replicas(result), "a0 b1 c0 ");
    EXPECT_NEAR(
        result.regions[1].first_token_ms_p50 - result.regions[0].first_token_ms_p50, 60, 1e-6
    );
    EXPECT_EQ(result.regions[0].calls + result.regions[1].calls, 400U);
    EXPECT_EQ(result.sites[1].calls, 400U);
}

TEST(ServeSites, RoutersKeepToWhatIsNear) {
    const ServeSites sites = *read("a=1,b=1,c=1");
    ServeOptions options{.sites = &sites, .replicas = 3};
    const auto trace = calls(600, 1s);
    const double routed = run_serve(trace, options, nullptr)->round_trip_ms_mean;
    options.policy = "round_robin";
    EXPECT_LT(routed, 0.5 * run_serve(trace, options, nullptr)->round_trip_ms_mean);
}

TEST(ServeSites, AFleetThatScalesStartsWhereTheFirstCallsComeFrom) {
    const ServeSites sites = *read("c=1");
    ServeOptions options{.sites = &sites};
    options.autoscale = tasks::AutoscaleTargets{
        .replicas_max = 2, .tokens_per_second = 5000, .first_token = 60s, .cold_start = 30s
    };
    const ServeResult result = *run_serve(calls(100, 1s), options, nullptr);
    EXPECT_EQ(sites_with_replicas(result), "a0 b0 c1 ");
    EXPECT_EQ(result.cold_starts, 1);
    EXPECT_GT(result.first_token_ms_p99, 25'000);
}

TEST(ServeSites, SlowStreamsMakeAFleetGrow) {
    const auto trace = calls(3000, 20ms);
    ServeOptions options;
    options.autoscale = tasks::AutoscaleTargets{
        .replicas_min = 1, .replicas_max = 4, .tokens_per_second = 1e9, .cold_start = 5s
    };
    EXPECT_EQ(run_serve(trace, options, nullptr)->cold_starts, 0);
    options.autoscale->token_gap = 30ms;
    EXPECT_GT(run_serve(trace, options, nullptr)->cold_starts, 0);
}

TEST(ServeSites, MoreReplicasThanThereIsRoomForAreRefused) {
    const ServeSites sites = *read();
    ServeOptions options{.sites = &sites, .replicas = 7};
    const auto refused = run_serve(calls(2, 1s), options, nullptr);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().field, "replicas");
    options.placement = "best";
    EXPECT_EQ(run_serve(calls(2, 1s), options, nullptr).error().field, "placements");
}

TEST(ServeSweep, OverSitesComparesPlacementsAndDrawsRegions) {
    const ServeSites sites = *read();
    ServeSweep sweep{.fleets = {"2", "3"}, .policies = {"penstock"}, .seeds = {1, 2}};
    sweep.placements = {"by_region", "random"};
    sweep.base.sites = &sites;
    const auto trace = calls(50, 1s);
    const auto runs = run_sweep(trace, sweep, nullptr);
    ASSERT_TRUE(runs) << runs.error().message;
    EXPECT_EQ(serve_csv(*runs), serve_csv(*run_sweep(trace, sweep, nullptr)));
    const auto means = mean_over_seeds(*runs);
    ASSERT_EQ(means.size(), 4U);
    EXPECT_EQ(means[0].result.regions.size(), 3U);
    const std::span<const ServeRow> first(means.data(), 1);
    EXPECT_EQ(serve_plot(first, "region_first_token_ms_p99")->series[2].name, "penstock: c");
    EXPECT_EQ(serve_plot(means, "site_replica_hours")->series.size(), 12U);
    sweep.base.sites = nullptr;
    const auto without = mean_over_seeds(*run_sweep(trace, sweep, nullptr));
    EXPECT_EQ(without.size(), 2U);
    EXPECT_EQ(serve_plot(without, "site_replica_hours").error().field, "plot-y");
}

}  // namespace
}  // namespace penstock::sim
