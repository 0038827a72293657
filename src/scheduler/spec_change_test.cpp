// SPDX-License-Identifier: Apache-2.0
#include "scheduler/spec_change.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "scheduler/plan_fixture.h"

namespace penstock::scheduler {
namespace {

// States everything that can keep a task out.
TaskSpec demanding() {
    TaskSpec spec;
    spec.num_nodes = 8;
    spec.resources.cpus = CpuRange{{8000, 8000}};
    spec.resources.memory = MemoryRange{{65536, 65536}};
    spec.resources.accelerators = Accelerators{.choices = {{"H100", 8000}}};
    spec.resources.infra = "home/cn-hubei";
    spec.resources.max_hourly_cost = EnvText{"10"};
    spec.time_limit = 4h;
    spec.deadline = kStart + 2h;
    spec.budget = BudgetSpec{.max_total = *parse_money("20")};
    spec.placement.emplace();
    spec.placement->identity = "R2101002420100A10000007KF";
    spec.placement->constraints = PlacementConstraints{
        .max_rtt_ms = 10,
        .green_min_percent = 60,
        .data_residency = {"CN-42"},
        .trust_min = TrustLevel::sovereign,
        .providers = ProviderRules{.allow = {"one"}, .deny = {"home", "other"}},
        .sites = {"near"}
    };
    spec.placement->topology = TopologySpec{.pack = "rack", .spread = "site", .max_sites = 1};
    return spec;
}

ChangeGround ground() {
    return {
        .cpu_milli = 4500,
        .memory_mib = 16384,
        .devices_milli = {{"H100", 2500}},
        .models = {"A100", "H100", "910B"},
        .members = 5,
        .promised = true
    };
}

std::string line(const SpecChange& change) {
    return fmt::format(
        "{} | {} | {} | {:.3f}\n  {}\n  {}\n", change.field, change.from, change.to, change.size,
        change.words.en, change.words.zh
    );
}

// Each change, and below it the least of its kind at a site that the plan found.
std::string all_changes() {
    Cluster cluster;
    Candidate candidate;
    candidate.price_per_hour = *parse_price("12.5");
    candidate.terms = {
        .cost = *parse_money("31"),
        .duration_s = 10800,
        .latency_ms = 27.4,
        .egress = *parse_money("1")
    };
    Site site = cluster.sites[0];
    site.spec.residency = "CN-31";
    site.spec.green_percent = 47.5;
    std::string out;
    for (const SpecChange& change : changes_of(demanding(), ground())) {
        out += line(change);
        if (!change.least) continue;
        if (const auto least = change.least({candidate, site, kStart})) out += "= " + line(*least);
    }
    out += line(quota_change(
        {.level = "organisation",
         .name = "acme",
         .resource = "devices.H100",
         .limit = 8,
         .used = 6,
         .asked = 4,
         .set_by = "user/li"},
        10
    ));
    out += line(priority_change(0, 20)) + line(not_as_spot());
    const Text one = starting_text({{"with A", "甲"}}, "centre/a", false);
    const Text two = starting_text({{"with A", "甲"}, {"without B", "乙"}}, "centre/a", false);
    const Text notice = starting_text({{"with A", "甲"}}, "centre/a", true);
    for (const Text& text : {one, two, notice}) out += text.en + "\n  " + text.zh + "\n";
    return out;
}

// PENSTOCK_UPDATE_GOLDEN=1 writes the file anew.
TEST(SpecChange, EachIsAsInTheGoldenFile) {
    const std::string now = all_changes();
    const std::string path = "testdata/changes.txt";
    if (std::getenv("PENSTOCK_UPDATE_GOLDEN")) std::ofstream(path) << now;
    std::ostringstream golden;
    golden << std::ifstream(path).rdbuf();

    EXPECT_EQ(now, golden.str());
}

TEST(SpecChange, OfASpecThatStatesNothingIsSpotAlone) {
    const std::vector<SpecChange> changes = changes_of(TaskSpec{}, {});

    ASSERT_EQ(changes.size(), 1);
    EXPECT_EQ(changes[0].field, "resources.use_spot");
}

// Every one of them makes another spec, and no two the same.
TEST(SpecChange, EachChangesTheSpecInItsOwnWay) {
    std::vector<TaskSpec> specs = {demanding()};
    for (const SpecChange& change : changes_of(demanding(), ground())) {
        TaskSpec spec = demanding();
        change.apply(spec);
        EXPECT_EQ(std::ranges::count(specs, spec), 0) << change.field << " " << change.to;
        specs.push_back(std::move(spec));
    }
    EXPECT_EQ(specs.size(), 36);
}

TEST(SpecChange, AsksForNoMoreThanThereIs) {
    ChangeGround tight = ground();
    tight.cpu_milli = 9000;
    tight.memory_mib = 0;
    tight.devices_milli = {};
    tight.models = {"H100"};
    tight.members = 0;
    const std::vector<SpecChange> changes = changes_of(demanding(), tight);

    for (const std::string_view field :
         {"resources.cpus", "resources.memory", "resources.accelerators", "num_nodes"})
        EXPECT_EQ(std::ranges::count(changes, field, &SpecChange::field), 0) << field;
}

TEST(SpecChange, TriesSoManyOtherModelsTheRoomiestFirst) {
    ChangeGround many = ground();
    many.models.clear();
    for (char name = 'a'; name < 'a' + 20; ++name) many.models.push_back({name});
    std::vector<std::string> tried;
    for (const SpecChange& change : changes_of(demanding(), many))
        if (change.other_answer) tried.push_back(change.to);

    EXPECT_EQ(tried.size(), kModelsTriedMax);
    EXPECT_EQ(tried.front(), "a:8");
}

// An alternative of places says which accelerators it means: it has to mean the other ones too.
TEST(SpecChange, AnotherModelIsAskedForInAlternativesToo) {
    TaskSpec spec;
    spec.resources.accelerators = Accelerators{.choices = {{"H100", 1000}}};
    spec.resources.any_of = {{.infra = "home/cn-hubei", .accelerators = spec.resources.accelerators}
    };
    const std::vector<SpecChange> changes = changes_of(spec, {.models = {"A100"}});
    const auto model = std::ranges::find_if(changes, &SpecChange::other_answer);
    ASSERT_NE(model, changes.end());
    model->apply(spec);

    EXPECT_EQ(spec.resources.any_of[0].accelerators->choices[0].model, "A100");
    EXPECT_EQ(spec.resources.any_of[0].infra, "home/cn-hubei");
}

// What the change of a constraint says it lifts is what plan() said kept the task out, and with the
// least change the plan finds a place.
struct Case {
    const char* name;
    FilterReason reason;
    void (*demand)(Cluster&);
};
class EachConstraint : public testing::TestWithParam<Case> {};

TEST_P(EachConstraint, IsLiftedByItsLeastChange) {
    Cluster cluster;
    GetParam().demand(cluster);
    const Plan before = cluster.plan();
    ASSERT_FALSE(before.feasible);
    ASSERT_EQ(before.candidates[0].filter, GetParam().reason);

    std::size_t found = 0;
    for (const SpecChange& change : changes_of(cluster.spec, {})) {
        if (std::ranges::count(change.lifts, GetParam().reason) == 0) continue;
        Cluster with = cluster;
        change.apply(with.spec);
        if (with.spec.budget)
            with.budget = with.spec.budget->max_total;
        else
            with.budget.reset();
        const Plan loose = with.plan();
        if (!loose.feasible) continue;
        ++found;
        if (!change.least) continue;
        for (const Site& site : with.sites) {
            if (site.id != loose.candidates[0].site_id) continue;
            const auto smaller = change.least({loose.candidates[0], site, kStart});
            ASSERT_TRUE(smaller) << change.field;
            Cluster again = cluster;
            smaller->apply(again.spec);
            again.budget = again.spec.budget ? again.spec.budget->max_total : std::nullopt;
            EXPECT_TRUE(again.plan().feasible) << smaller->words.en;
            EXPECT_LT(smaller->size, 1) << smaller->words.en;
        }
    }
    EXPECT_GE(found, 1);
}

INSTANTIATE_TEST_SUITE_P(
    SpecChange, EachConstraint,
    testing::Values(
        Case{
            "Infra", FilterReason::region_not_allowed,
            [](Cluster& c) { c.spec.resources.infra = "home/cn-nowhere"; }
        },
        Case{
            "Sites", FilterReason::site_not_allowed,
            [](Cluster& c) { c.constraints().sites = {"nowhere"}; }
        },
        Case{
            "Allow", FilterReason::provider_not_allowed,
            [](Cluster& c) { c.constraints().providers = ProviderRules{.allow = {"other"}}; }
        },
        Case{
            "Deny", FilterReason::provider_not_allowed,
            [](Cluster& c) { c.constraints().providers = ProviderRules{.deny = {"home", "other"}}; }
        },
        Case{
            "Residency", FilterReason::residency_not_allowed,
            [](Cluster& c) { c.constraints().data_residency = {"CN-11"}; }
        },
        Case{
            "Trust", FilterReason::trust_too_low,
            [](Cluster& c) { c.constraints().trust_min = TrustLevel::sovereign; }
        },
        Case{
            "RoundTrip", FilterReason::rtt_too_high,
            [](Cluster& c) { c.constraints().max_rtt_ms = 1; }
        },
        Case{
            "Green", FilterReason::green_too_low,
            [](Cluster& c) { c.constraints().green_min_percent = 90; }
        },
        Case{
            "Price", FilterReason::price_above_maximum,
            [](Cluster& c) { c.spec.resources.max_hourly_cost = EnvText{"0.0001"}; }
        },
        Case{
            "Budget", FilterReason::over_budget,
            [](Cluster& c) {
                c.profile.run_time = 1h;
                c.spec.budget = BudgetSpec{.max_total = *parse_money("0.0001")};
                c.budget = c.spec.budget->max_total;
            }
        },
        Case{
            "Deadline", FilterReason::deadline_too_near,
            [](Cluster& c) {
                c.profile.run_time = 1h;
                c.spec.deadline = kStart + 10min;
            }
        }
    ),
    [](const testing::TestParamInfo<Case>& info) { return std::string(info.param.name); }
);

}  // namespace
}  // namespace penstock::scheduler
