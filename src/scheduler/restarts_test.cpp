// SPDX-License-Identifier: Apache-2.0
#include "scheduler/restarts.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "scheduler/plan_fixture.h"

namespace penstock::scheduler {
namespace {

constexpr std::int64_t kHourMs = 3'600'000;

// `restarts` in so many hours at site `i` of a cluster, of such work on CPUs.
SiteRestarts seen(std::int64_t restarts, std::int64_t hours, WorkClass work) {
    return {
        {{"cpu", work},
         {.sku = "cpu", .work = work, .restarts = restarts, .running_ms = hours * kHourMs}}
    };
}

// Everything is the same at both sites but how often work starts again there.
struct TwoSites : Cluster {
    SiteRestarts calm = seen(1, 1000, WorkClass::ordinary);
    SiteRestarts rough = seen(100, 1000, WorkClass::ordinary);
    TwoSites() {
        sites.resize(1);
        nodes.resize(1);
        add("rough", "0.00002", 300, 28, TrustLevel::certified, {"encryption", "audit"});
        profile.run_time = 100h;
        spec.resources.cpus = CpuRange{{1000, 1000}};  // 0.072 yuan an hour
        restarts = {&calm, &rough};
    }
};

const Candidate& at(const Plan& plan, const std::string& site) {
    return *std::ranges::find(plan.candidates, site, &Candidate::site);
}
std::string restarts_at(const Plan& plan, const std::string& site) {
    const std::optional<Money>& amount = at(plan, site).terms.restarts;
    return amount ? to_string(*amount) : "unknown";
}

TEST(RestartBook, CountsTheNewestRunsOfEachKind) {
    RestartBook book;
    EndedRun run{.sku = "H100", .work = WorkClass::spot, .restarts = true, .running = 1h};
    for (std::size_t i = 0; i < 10; ++i) book.add(run);
    run.restarts = false;
    run.running = 2h;
    const RestartHistory* history = nullptr;
    for (std::size_t i = 0; i < kRestartRunsMax - 4; ++i) history = book.add(run);

    EXPECT_EQ(history->restarts, 4) << "six of the ten are too old";
    EXPECT_EQ(history->running_ms, (4 + 2 * std::int64_t{kRestartRunsMax - 4}) * kHourMs);
    run.work = WorkClass::ordinary;
    EXPECT_EQ(book.add(run)->restarts, 0);
}

TEST(RestartBook, IsBounded) {
    RestartBook book;
    EndedRun run{.running = 1h};
    for (std::size_t i = 0; i < kRestartHistoriesMax; ++i) {
        run.sku = std::to_string(i);
        ASSERT_NE(book.add(run), nullptr);
    }
    run.sku = "more";
    EXPECT_EQ(book.add(run), nullptr);
    run.sku = "0";
    EXPECT_EQ(book.add(run)->running_ms, 2 * kHourMs);
}

TEST(RestartRate, IsUnknownUntilEnoughIsSeen) {
    const auto rate = [](std::int64_t restarts, std::int64_t hours) {
        const SiteRestarts all = seen(restarts, hours, WorkClass::spot);
        return restart_rate(&all, {}, WorkClass::spot);
    };
    EXPECT_FALSE(restart_rate(nullptr, {}, WorkClass::spot));
    EXPECT_FALSE(rate(0, 23));
    EXPECT_FALSE(rate(2, 23));
    EXPECT_EQ(rate(0, 24)->per_hour, 0);
    EXPECT_EQ(rate(3, 6)->per_hour, 0.5);
    EXPECT_FALSE(rate(3, 0));
    const SiteRestarts spot = seen(3, 6, WorkClass::spot);
    EXPECT_FALSE(restart_rate(&spot, {}, WorkClass::ordinary)) << "of other work it says nothing";
    EXPECT_FALSE(restart_rate(&spot, {.accelerator = Accelerator{"H100", 1000}}, WorkClass::spot));
}

// 100 h × 0.1 an hour = 10 restarts; of each half a checkpoint interval of an hour is lost.
TEST(Restarts, CostHalfACheckpointIntervalEach) {
    TwoSites c;
    c.spec.checkpoint = CheckpointSpec{.every = 1h};
    const Plan plan = c.plan();

    EXPECT_EQ(plan.candidates[0].site, "centre");
    EXPECT_EQ(restarts_at(plan, "rough"), "0.36");
    EXPECT_EQ(to_string(*at(plan, "rough").terms.cost), "7.56");
    EXPECT_EQ(restarts_at(plan, "centre"), "0.0036");
    EXPECT_EQ(at(plan, "rough").restarts->per_hour, 0.1);
    EXPECT_EQ(at(plan, "rough").restarts->restarts, 100);
}

TEST(Restarts, CostHalfTheRunEachWhereNoCheckpointIsKept) {
    TwoSites c;
    EXPECT_EQ(restarts_at(c.plan(), "rough"), "36.00");
    c.spec.checkpoint = CheckpointSpec{.every = 1h, .resume = ResumePolicy::never};
    EXPECT_EQ(restarts_at(c.plan(), "rough"), "36.00");
    c.spec.checkpoint = CheckpointSpec{.every = 1000h};
    EXPECT_EQ(restarts_at(c.plan(), "rough"), "36.00") << "no more than it ran";
}

TEST(Restarts, DecideBetweenEqualSites) {
    TwoSites c;
    std::swap(c.restarts[0], c.restarts[1]);
    c.spec.placement->optimize = *strategy_named("cost");
    const Plan plan = c.plan();

    EXPECT_EQ(plan.candidates[0].site, "rough") << "the calm one now";
    std::swap(c.restarts[0], c.restarts[1]);
    EXPECT_EQ(c.plan().candidates[0].site, "centre");
}

TEST(Restarts, AreNoPartOfWhatIsHeldEstimatedOrBoundedByTheBudget) {
    TwoSites c;
    c.restarts = {&c.rough, &c.rough};
    c.budget = *parse_money("8");
    const Plan plan = c.plan();

    ASSERT_TRUE(plan.feasible) << plan.explanation;
    EXPECT_EQ(to_string(*at(plan, "centre").terms.cost), "43.20");
    EXPECT_EQ(to_string(*plan.estimated_cost), "7.20");
    EXPECT_EQ(to_string(*plan.hold), "7.20");
    EXPECT_TRUE(plan.explanation.contains(
        ". Of its cost 36.00 yuan are for starting again, by 100 restarts in 1000 h of such work "
        "there; not charged"
    )) << plan.explanation;
    EXPECT_TRUE(plan.explanation_zh.contains("36.00 元为重启损失")) << plan.explanation_zh;
}

TEST(Restarts, UnknownIsSaidAndNotCounted) {
    TwoSites c;
    c.restarts = {nullptr, &c.rough};
    const Plan plan = c.plan();

    EXPECT_EQ(plan.candidates[0].site, "centre");
    EXPECT_EQ(restarts_at(plan, "centre"), "unknown");
    EXPECT_FALSE(at(plan, "centre").restarts);
    EXPECT_EQ(to_string(*at(plan, "centre").terms.cost), "7.20");
    EXPECT_TRUE(plan.explanation.contains("How often such work starts again there is not known"))
        << plan.explanation;
}

TEST(Restarts, NothingIsSaidWhereNobodyKnows) {
    TwoSites c;
    c.restarts = {};
    EXPECT_FALSE(c.plan().explanation.contains("starts again"));
}

// Without a run time cost is of an hour, and so are restarts; what half of it would be nobody
// knows.
TEST(Restarts, AreOfAnHourWhereTheRunTimeIsUnknown) {
    TwoSites c;
    c.profile.run_time.reset();
    EXPECT_EQ(restarts_at(c.plan(), "rough"), "unknown");
    c.spec.checkpoint = CheckpointSpec{.every = 1h};
    const Plan plan = c.plan();

    EXPECT_EQ(restarts_at(plan, "rough"), "0.0036");
    EXPECT_EQ(to_string(*at(plan, "rough").terms.cost), "0.0756");
    EXPECT_FALSE(plan.estimated_cost);
}

TEST(Restarts, OfAGangAreThoseOfAnyMember) {
    TwoSites c;
    c.spec.num_nodes = 2;
    c.spec.placement->topology = TopologySpec{.pack = "any"};
    c.spec.checkpoint = CheckpointSpec{.every = 1h};
    EXPECT_EQ(restarts_at(c.plan(), "rough"), "0.72");
}

TEST(Restarts, SpotWorkIsMeasuredByItself) {
    TwoSites c;
    c.sites[0].spec.prices.spot_percent = 100;
    c.sites[1].spec.prices.spot_percent = 100;
    c.spec.resources.use_spot = true;
    EXPECT_EQ(restarts_at(c.plan(), "rough"), "unknown");
    c.rough = seen(10, 100, WorkClass::spot);
    c.spec.checkpoint = CheckpointSpec{.every = 1h};
    const Plan plan = c.plan();
    EXPECT_EQ(restarts_at(plan, "centre"), "unknown");
    EXPECT_EQ(restarts_at(plan, "rough"), "0.36");
}

}  // namespace
}  // namespace penstock::scheduler
