// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <sstream>

#include "scheduler/filter.h"
#include "scheduler/plan_fixture.h"

namespace penstock::scheduler {
namespace {

struct Case {
    FilterReason reason;
    std::function<void(Cluster&)> arrange;
};

constexpr std::string_view kOtherCode = "R2101002420100A10000007KF";

// One way to make "edge" fail each filter.
const Case kCases[] = {
    {FilterReason::region_not_allowed, [](Cluster& c) { c.spec.resources.infra = "*/cn-north/*"; }},
    {FilterReason::region_not_allowed,
     [](Cluster& c) { c.spec.resources.any_of = {{.infra = "acme"}, {.infra = "home/cn-centre"}}; }
    },
    {FilterReason::identity_differs, [](Cluster& c) { c.spec.placement->identity = "nonsense"; }},
    {FilterReason::identity_differs, [](Cluster& c) { c.spec.placement->identity = kOtherCode; }},
    {FilterReason::site_not_allowed, [](Cluster& c) { c.constraints().sites = {"centre"}; }},
    {FilterReason::provider_not_allowed,
     [](Cluster& c) { c.constraints().providers = ProviderRules{.deny = {"home"}}; }},
    {FilterReason::provider_not_allowed,
     [](Cluster& c) { c.constraints().providers = ProviderRules{.allow = {"acme"}}; }},
    {FilterReason::residency_not_allowed,
     [](Cluster& c) { c.constraints().data_residency = {"CN-11"}; }},
    {FilterReason::residency_not_allowed,
     [](Cluster& c) {
         c.constraints().data_residency = {"CN"};
         c.sites[1].spec.residency = "";
     }},
    {FilterReason::trust_too_low,
     [](Cluster& c) { c.constraints().trust_min = TrustLevel::certified; }},
    {FilterReason::rtt_unknown,
     [](Cluster& c) {
         c.constraints().max_rtt_ms = 10;
         c.sites[1].spec.rtt_ms.reset();
     }},
    {FilterReason::rtt_too_high, [](Cluster& c) { c.constraints().max_rtt_ms = 1.5; }},
    {FilterReason::green_unknown,
     [](Cluster& c) {
         c.constraints().green_min_percent = 60;
         c.sites[1].spec.green_percent.reset();
     }},
    {FilterReason::green_too_low, [](Cluster& c) { c.constraints().green_min_percent = 60; }},
    {FilterReason::cpu_too_large, [](Cluster& c) { c.spec.resources.cpus = CpuRange{{8000, 8000}}; }
    },
    {FilterReason::memory_too_large,
     [](Cluster& c) { c.spec.resources.memory = MemoryRange{{8192, 8192}}; }},
    {FilterReason::accelerator_absent,
     [](Cluster& c) {
         c.spec.resources.accelerators = Accelerators{.choices = {*parse_accelerator("H100:8")}};
     }},
    {FilterReason::accelerator_absent,
     [](Cluster& c) {
         c.spec.resources.accelerators = Accelerators{.choices = {*parse_accelerator("H100:8")}};
         c.equip(1, "H100", 2000, "0.01");
     }},
    {FilterReason::accelerator_absent,
     [](Cluster& c) {
         c.spec.resources.accelerators = Accelerators{.choices = {*parse_accelerator("H100:1")}};
         c.nodes[1].total.accelerator_milli["H100"] = 2000;
     }},
    {FilterReason::accelerator_absent,
     [](Cluster& c) {
         c.spec.resources.accelerators = Accelerators{.choices = {*parse_accelerator("H100:4")}};
         c.spec.placement = PlacementSpec{.topology = TopologySpec{.pack = "domain"}};
         c.equip(1, "H100", 4000, "0.01");
         for (std::int64_t i = 0; i < 4; ++i)
             c.nodes[1].devices.push_back({.index = i, .model = "H100", .link_domain = i / 2});
     }},
    {FilterReason::spot_not_sold, [](Cluster& c) { c.spec.resources.use_spot = true; }},
    {FilterReason::price_above_maximum,
     [](Cluster& c) { c.spec.resources.max_hourly_cost = EnvText{"0.05"}; }},
    {FilterReason::over_budget,
     [](Cluster& c) {
         c.budget = *parse_money("0.05");
         c.profile.run_time = 1h;
     }},
    {FilterReason::over_budget, [](Cluster& c) { c.budget = Money(); }},
    {FilterReason::deadline_too_near,
     [](Cluster& c) {
         c.spec.deadline = kStart + 30min;
         c.profile.run_time = 1h;
     }},
    {FilterReason::limit_not_enforced, [](Cluster& c) { c.nodes[1].enforces = {"cpu"}; }},
    {FilterReason::node_unreachable,
     [](Cluster& c) {
         c.nodes[1].state = NodeState::unreachable;
         c.nodes[1].last_seen_at = kStart - 5min;
     }},
    {FilterReason::node_unreachable, [](Cluster& c) { c.nodes[1].state = NodeState::unreachable; }},
    {FilterReason::node_unhealthy,
     [](Cluster& c) {
         c.nodes[1].health = Health::failed;
         c.nodes[1].health_reason = "disk full";
     }},
    {FilterReason::node_cordoned, [](Cluster& c) { c.nodes[1].cordoned = true; }},
    {FilterReason::insufficient_cpu, [](Cluster& c) { c.nodes[1].held.cpu_milli = 750; }},
    {FilterReason::insufficient_memory, [](Cluster& c) { c.nodes[1].held.memory_mib = 1000; }},
    {FilterReason::insufficient_accelerator,
     [](Cluster& c) {
         c.equip(1, "H100", 8000, "0.01");
         c.nodes[1].held.accelerator_milli["H100"] = 7500;
         c.spec.resources.accelerators = Accelerators{.choices = {*parse_accelerator("H100:2")}};
     }},
    {FilterReason::kept_for_others, [](Cluster& c) { c.promise(1); }},
    {FilterReason::left_to_others, [](Cluster& c) { c.leave = {c.nodes[1].id}; }},
    {FilterReason::excluded_after_failure, [](Cluster& c) { c.avoid = {c.nodes[1].id}; }},
};

// What each filter says of "edge", and what the plan says when edge is all there is.
std::string said_by_filters() {
    std::ostringstream out;
    for (const Case& each : kCases) {
        Cluster c;
        c.constraints();
        each.arrange(c);
        const Plan made = c.plan();
        const auto edge = std::ranges::find(made.candidates, "edge", &Candidate::site);
        EXPECT_EQ(edge->filter, each.reason) << edge->filter_detail;
        out << edge->filter_detail << "\n";
        c.sites = {c.sites[1]};
        c.nodes = {c.nodes[1]};
        const Plan alone = c.plan();
        EXPECT_EQ(
            alone.feasible, each.reason == FilterReason::excluded_after_failure ||
                                each.reason == FilterReason::left_to_others
        );
        out << "  " << alone.explanation << "\n  " << alone.explanation_zh << "\n";
    }
    return out.str();
}

// The text of testdata/NAME; PENSTOCK_UPDATE_GOLDEN=1 writes it anew.
std::string golden(const std::string& name, const std::string& now) {
    const std::string path = "testdata/" + name;
    if (std::getenv("PENSTOCK_UPDATE_GOLDEN")) std::ofstream(path) << now;
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

TEST(Explanation, OfEachFilterIsAsInTheGoldenFile) {
    const std::string now = said_by_filters();
    EXPECT_EQ(now, golden("filters.txt", now));
}

// What a count of nodes is followed by.
TEST(Explanation, PhrasesAreAsInTheGoldenFile) {
    std::string now;
    for (const FilterReason reason : kFilterOrder)
        now += phrase_of(reason).en + "\n" + phrase_of(reason).zh + "\n";
    EXPECT_EQ(now, golden("phrases.txt", now));
}

TEST(Explanation, EveryReasonTheSpecCanCauseHasACase) {
    for (const FilterReason reason : kFilterOrder)
        EXPECT_TRUE(std::ranges::any_of(kCases, [&](const Case& each) {
            return each.reason == reason;
        })) << static_cast<int>(reason);
}

std::string said_of_choices() {
    std::ostringstream out;
    const auto say = [&](const Plan& plan) {
        out << plan.explanation << "\n" << plan.explanation_zh << "\n";
    };
    Cluster c;
    say(c.plan());
    c.profile.run_time = 1h;
    say(c.plan());
    for (const Strategy& pure :
         {Strategy{.cost = 1}, Strategy{.duration = 1}, Strategy{.latency = 1}}) {
        c.spec.placement->optimize = pure;
        say(c.plan());
    }
    c.spec.placement->optimize = balanced_strategy();
    c.items = 100;
    c.budget = *parse_money("1.00");
    c.constraints().sites = {"centre"};
    c.nodes[0].simulated = true;
    say(c.plan());
    c.sites[1] = c.sites[0];
    c.nodes[1].name = "centre-2";
    c.sites[1].spec.name = "centre";
    say(c.plan());
    return out.str();
}

TEST(Explanation, OfChoicesIsAsInTheGoldenFile) {
    const std::string now = said_of_choices();
    EXPECT_EQ(now, golden("choices.txt", now));
}

TEST(Explanation, OfSeveralNodesCountsTheFiltersAndNamesTheNearestRemedy) {
    Cluster c;
    c.spec.resources.memory = MemoryRange{{1024, 1024}};
    c.nodes[0].held.memory_mib = 512;
    c.nodes[1].held.memory_mib = 1000;
    c.nodes[2].state = NodeState::unreachable;
    EXPECT_EQ(
        c.plan().explanation,
        "none of 3 nodes can take it: 1 unreachable (regional/regional-1: has not reported since "
        "the server started); "
        "2 short of free memory (centre/centre-1: asks 1 GiB of memory, 512 MiB of 1 GiB are "
        "free). "
        "Nearest is centre/centre-1: wait until 512 MiB more of memory are free, or ask for at "
        "most 512 MiB"
    );
}

TEST(Explanation, SaysWhatToDoWhereThereIsNoSite) {
    Cluster c;
    c.sites.clear();
    c.nodes.clear();
    EXPECT_FALSE(c.plan().feasible);
    EXPECT_NE(c.plan().explanation.find("start an agent"), std::string::npos);
}

}  // namespace
}  // namespace penstock::scheduler
