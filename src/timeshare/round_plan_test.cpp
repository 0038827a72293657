// SPDX-License-Identifier: Apache-2.0
#include "timeshare/round_plan.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "timeshare/choice.h"

namespace penstock::timeshare {
namespace {

// Nobody's tenant has a limit, but for applicants that are named.
class Limits final : public Allowed {
  public:
    explicit Limits(std::size_t of_first = 1000) : of_first_(of_first) {}
    void begin() override { taken_ = 0; }
    bool take(std::size_t, std::size_t) override { return taken_++ < of_first_; }

  private:
    std::size_t of_first_;
    std::size_t taken_ = 0;
};

// Two kinds, two nodes each: "fast" with two devices a node, "slow" with four.
class Scene {
  public:
    Scene() {
        question.policy = "most-throughput";
        question.kinds = {{.price_per_hour = 4}, {.price_per_hour = 1}};
        question.nodes.assign(4, {.cpu_milli = 100'000, .memory_mib = 100'000});
        question.rooms = {{0, 0, 2}, {1, 0, 2}, {2, 1, 4}, {3, 1, 4}};
    }
    Applicant& add(std::int64_t devices, double fast, double slow) {
        question.applicants.push_back(
            {.job = {.devices = devices, .rate = {fast, slow}},
             .received_s = {0, 0},
             .rooms = {0, 1, 2, 3},
             .needs = {.cpu_milli = 1000, .memory_mib = 1000}}
        );
        return question.applicants.back();
    }
    // "0 2 - 3": the room of each, or none.
    std::string planned(std::size_t limit = 1000) const {
        Limits limits(limit);
        const RoundPlan plan = plan_round(question, limits).value();
        std::string text;
        for (const auto& room : plan.rooms)
            text += (text.empty() ? "" : " ") + (room ? fmt::format("{}", *room) : "-");
        return text;
    }

    RoundQuestion question;
};

TEST(RoundPlan, GivesFastDevicesToWhoGainsFromThem) {
    Scene scene;
    for (int i = 0; i < 4; ++i) scene.add(1, 10, 1);
    for (int i = 0; i < 4; ++i) scene.add(1, 3, 3);

    EXPECT_EQ(scene.planned(), "0 0 1 1 2 2 2 2");
}

TEST(RoundPlan, KeepsAJobInItsRoom) {
    Scene scene;
    scene.add(1, 10, 1).at = 1;
    scene.add(1, 3, 3).at = 3;

    EXPECT_EQ(scene.planned(), "1 3");
}

TEST(RoundPlan, AJobThatFindsNoNodeWithAsManyDevicesMakesPlaceForOthers) {
    Scene scene;
    scene.question.policy = "gavel-las";
    scene.question.counted_s = 720;
    for (const std::size_t room : {0UL, 1UL}) scene.question.rooms[room].devices = 1;
    scene.add(2, 9, 0);
    scene.add(1, 9, 0).received_s = {360, 0};
    scene.add(1, 9, 0).received_s = {360, 0};

    EXPECT_EQ(scene.planned(), "- 0 1");
}

TEST(RoundPlan, WhoHasWaitedTooLongGoesBeforeWhoeverIsThere) {
    Scene scene;
    for (const std::size_t room : {0UL, 0UL, 1UL, 1UL}) scene.add(1, 10, 0).at = room;
    scene.add(2, 1, 0).job.waited_s = kPatienceS;

    const std::string planned = scene.planned();

    EXPECT_EQ(planned, "- - 1 1 0");
}

TEST(RoundPlan, WithinALimitWhoeverReceivedLeastComesFirst) {
    Scene scene;
    scene.add(1, 10, 0).received_s = {720, 0};
    scene.question.applicants[0].at = 0;
    scene.add(1, 10, 0).received_s = {360, 0};

    EXPECT_EQ(scene.planned(1), "- 0");
    EXPECT_EQ(scene.planned(2), "0 0");
}

TEST(RoundPlan, ANodeWithoutMemoryTakesNobody) {
    Scene scene;
    scene.question.nodes[0].memory_mib = 500;
    scene.add(1, 10, 0);

    EXPECT_EQ(scene.planned(), "1");
}

TEST(RoundPlan, LeastRatesThatCannotAllBeMetAreLeftOutAndThatIsSaid) {
    Scene scene;
    scene.question.policy = "gavel-cost";
    for (int i = 0; i < 9; ++i) scene.add(1, 10, 0).job.rate_min = 10;
    Limits limits;

    const RoundPlan plan = plan_round(scene.question, limits).value();

    EXPECT_TRUE(plan.rates_unmet);
    EXPECT_EQ(
        std::ranges::count_if(plan.rooms, [](const auto& room) { return room.has_value(); }), 4
    );
}

TEST(RoundPlan, APolicyThatNeedsDeclaredStepsIsRefusedByName) {
    const Result<void> refused = check_live_policy("gavel-makespan");

    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().field, "time-sharing-policy");
    EXPECT_NE(refused.error().message.find("most-throughput"), std::string::npos);
}

TEST(CountedSince, ForgetsAtAChangeButNotTooOften) {
    const Time t{1h};

    EXPECT_EQ(counted_since({}), Time{});
    EXPECT_EQ(counted_since({t, t + 1s}), t);
    EXPECT_EQ(counted_since({t + Rounds::kForgetAfter, t}), t + Rounds::kForgetAfter);
    EXPECT_EQ(counted_since({t, t + 1000s, t + 2000s, t + 3000s}), t + 2000s);
}

}  // namespace
}  // namespace penstock::timeshare
