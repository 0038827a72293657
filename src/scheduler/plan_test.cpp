// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>

#include "scheduler/scheduler.h"

namespace penstock::scheduler {
namespace {

const Time kStart = *parse_rfc3339("2026-11-24T00:00:00Z");

// Three sites as in the demo: cheap and green but far, in between, near and dear.
struct Cluster {
    SeededRandom random{1};
    IdSource ids{random};
    std::vector<Site> sites;
    std::vector<Node> nodes;
    TaskSpec spec;
    Profile profile;
    std::optional<Money> budget;
    std::vector<NodeId> avoid;

    Cluster() {
        sites.reserve(8);
        nodes.reserve(8);
        add("centre", "0.00002", 300, 28, TrustLevel::certified, {"encryption", "audit"});
        add("edge", "0.00005", 520, 2, TrustLevel::basic, {});
        add("regional", "0.00003", 430, 8, TrustLevel::certified, {"encryption"});
        spec.run = "true";
        spec.resources.cpus = CpuRange{{500, 500}};
        spec.resources.memory = MemoryRange{{256, 256}};
        spec.placement = PlacementSpec{};
    }
    void add(std::string name, std::string price, double carbon, double rtt, TrustLevel trust, std::vector<std::string> controls) {
        Site site{.id = ids.next<SiteId>(kStart), .provider = "home"};
        site.spec = {.name = name, .region = "cn-" + name, .residency = "CN-42", .division_code = "420100", .trust = trust,
                     .controls = std::move(controls), .carbon_g_per_kwh = carbon, .green_percent = 50, .rtt_ms = rtt, .watts_per_core = 5};
        site.spec.prices.core_second = *parse_price(price);
        sites.push_back(site);
        Node node{.id = ids.next<NodeId>(kStart), .site_id = site.id, .site = name, .name = name + "-1",
                  .state = NodeState::online, .health = Health::ok, .total = {.cpu_milli = 1000, .memory_mib = 1024},
                  .enforces = {"cpu", "memory", "pids"}};
        nodes.push_back(node);
    }
    Plan plan(bool reversed = false) {
        Input input{.spec = spec, .spec_sha256 = "", .items = 1, .avoid = avoid, .profile = profile, .budget_left = budget, .now = kStart};
        for (std::size_t i = 0; i < nodes.size(); ++i)
            input.supplies.push_back({&sites[i], &nodes[i], nodes[i].state == NodeState::online ? nodes[i].total : Capacity{}});
        if (reversed) std::ranges::reverse(input.supplies);
        return scheduler::plan(input);
    }
    std::string winner(Strategy strategy) {
        spec.placement->optimize = strategy;
        const Plan made = plan();
        return made.feasible ? made.candidates.front().site : "none";
    }
    std::string refusal(std::string_view site) {
        const Plan made = plan();
        for (const Candidate& candidate : made.candidates)
            if (candidate.site == site) return candidate.filter_detail;
        return "absent";
    }
};

TEST(Plan, EachPureStrategyWinsOnItsOwnTerm) {
    Cluster c;
    EXPECT_EQ(c.winner({.cost = 1}), "centre");
    EXPECT_EQ(c.winner({.green = 1}), "centre");
    EXPECT_EQ(c.winner({.latency = 1}), "edge");
    EXPECT_EQ(c.winner({.security = 1}), "centre");
}

TEST(Plan, IsTheSameInWhateverOrderTheSuppliesCome) {
    Cluster c;
    EXPECT_EQ(c.plan(false), c.plan(true));
}

TEST(Plan, KeepsEveryCandidateWithItsTermsOrItsFilter) {
    Cluster c;
    c.spec.placement->constraints = PlacementConstraints{.max_rtt_ms = 10};
    const Plan made = c.plan();
    ASSERT_EQ(made.candidates.size(), 3U);
    EXPECT_EQ(made.candidates.back().filter, FilterReason::rtt_too_high);
    EXPECT_EQ(made.candidates.back().filter_detail, "asks for 10 ms at most, has 28 ms");
    EXPECT_TRUE(made.candidates.back().terms.cost);
}

TEST(Plan, NamesTheFigureOfEachFilter) {
    Cluster c;
    c.spec.resources.cpus = CpuRange{{8000, 8000}};
    EXPECT_EQ(c.refusal("edge"), "asks 8 cpus, has 1");
    c.spec.resources.cpus = CpuRange{{500, 500}};
    c.nodes[1].cordoned = true;
    EXPECT_EQ(c.refusal("edge"), "takes no new work");
    c.spec.placement->constraints = PlacementConstraints{.trust_min = TrustLevel::certified};
    EXPECT_EQ(c.refusal("edge"), "asks for certified, has basic");
    c.spec.placement->constraints = PlacementConstraints{.data_residency = {"CN-11"}};
    EXPECT_EQ(c.refusal("edge"), "data would be in CN-42");
    c.spec.resources.accelerators = Accelerators{.choices = {*parse_accelerator("H100:8")}};
    c.spec.placement->constraints.reset();
    EXPECT_EQ(c.refusal("edge"), "the site sells no H100");
}

TEST(Plan, AnUnknownTermCostsTheWorstRegretAndIsNeverGuessed) {
    Cluster c;
    c.sites[0].spec.carbon_g_per_kwh.reset();
    EXPECT_EQ(c.winner({.green = 1}), "regional");
    const Plan made = c.plan();
    const auto centre = std::ranges::find(made.candidates, "centre", &Candidate::site);
    EXPECT_FALSE(centre->terms.carbon_g);
}

TEST(Plan, ANodeThatFailedIsTakenOnlyWhenNothingElseIsLeft) {
    Cluster c;
    c.avoid = {c.nodes[0].id};
    EXPECT_EQ(c.winner({.cost = 1}), "regional");
    c.nodes[1].state = c.nodes[2].state = NodeState::unreachable;
    EXPECT_EQ(c.winner({.cost = 1}), "centre");
}

TEST(Plan, HoldsAnHourWhereTheRunTimeIsUnknownAndNeverMoreThanTheBudget) {
    Cluster c;
    c.spec.placement->optimize = {.cost = 1};
    EXPECT_EQ(to_string(*c.plan().hold), "0.036");  // 0.5 core × 0.00002 × 3600
    c.budget = *parse_money("0.01");
    EXPECT_EQ(to_string(*c.plan().hold), "0.01");
    c.budget.reset();
    c.profile.run_time = 60s;
    EXPECT_EQ(to_string(*c.plan().hold), "0.0006");
}

TEST(Plan, SaysWhatToDoWhereThereIsNoSite) {
    Cluster c;
    c.sites.clear();
    c.nodes.clear();
    EXPECT_FALSE(c.plan().feasible);
    EXPECT_NE(c.plan().explanation.find("start an agent"), std::string::npos);
}

TEST(Plan, ExplainsWinnerAndRunnerUp) {
    Cluster c;
    c.spec.placement->optimize = {.latency = 1};
    const Plan made = c.plan();
    EXPECT_NE(made.explanation.find("edge/edge-1 wins"), std::string::npos) << made.explanation;
    EXPECT_NE(made.explanation_zh.find("选中 edge/edge-1"), std::string::npos) << made.explanation_zh;
}

TEST(HourlyPrice, IsExact) {
    Cluster c;
    c.sites[0].spec.prices.gib_second = *parse_price("0.000002");
    EXPECT_EQ(to_string(*hourly_price(c.sites[0], {.cpu_milli = 500, .memory_mib = 512})), "0.0396");
}

}  // namespace
}  // namespace penstock::scheduler
