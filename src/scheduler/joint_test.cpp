// SPDX-License-Identifier: Apache-2.0
#include "scheduler/joint.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace penstock::scheduler {
namespace {

struct Scene {
    SeededRandom random{1};
    IdSource ids{random};
    std::vector<NodeId> nodes;
    std::map<NodeId, Capacity> free;
    std::vector<Plan> plans;

    explicit Scene(std::vector<std::int64_t> cpus) {
        for (const std::int64_t cpu : cpus) {
            nodes.push_back(ids.next<NodeId>(Time{}));
            free[nodes.back()] = {.cpu_milli = cpu};
        }
    }
    // Candidates best first: node and loss.
    void plan(std::int64_t cpu, const std::vector<std::pair<std::size_t, double>>& candidates) {
        Plan plan{.feasible = true};
        for (const auto& [node, loss] : candidates)
            plan.candidates.push_back(
                {.node_id = nodes[node],
                 .request = {.cpu_milli = cpu},
                 .score = loss,
                 .rank = std::ssize(plan.candidates) + 1}
            );
        plans.push_back(std::move(plan));
    }
    std::vector<const Plan*> all() const {
        std::vector<const Plan*> pointers;
        for (const Plan& each : plans) pointers.push_back(&each);
        return pointers;
    }
    JointChoice choose() const { return choose_jointly(all(), free); }
    std::vector<NodeId> left_by(std::size_t i, const JointChoice& choice) const {
        return nodes_left(all(), choice, i);
    }
};
using Chosen = std::vector<std::optional<std::size_t>>;

TEST(ChooseJointly, LeavesANodeToTheWorkThatFitsNowhereElse) {
    Scene scene({1000, 1000});
    scene.plan(1000, {{0, 0.0}, {1, 0.1}});
    scene.plan(1000, {{0, 0.0}});

    const JointChoice choice = scene.choose();

    EXPECT_TRUE(choice.gains);
    EXPECT_EQ(choice.candidate_of, (Chosen{1, 0}));
    EXPECT_EQ(scene.left_by(0, choice), std::vector{scene.nodes[0]});
}

TEST(ChooseJointly, TakesTheLeastSumOfLosses) {
    Scene scene({1000, 1000});
    scene.plan(1000, {{0, 0.0}, {1, 0.05}});
    scene.plan(1000, {{0, 0.0}, {1, 0.2}});

    EXPECT_EQ(scene.choose().candidate_of, (Chosen{1, 0}));
    EXPECT_TRUE(scene.choose().gains);
}

TEST(ChooseJointly, OneGivesUpMuchWhereOthersGainMore) {
    Scene scene({1000, 1000});
    scene.plan(1000, {{0, 0.0}, {1, 1.0}});
    scene.plan(1000, {{0, 0.0}, {1, 3.0}});
    EXPECT_EQ(scene.choose().candidate_of, (Chosen{1, 0}));

    scene.plans[1].candidates[1].score = 0.9;
    EXPECT_EQ(scene.choose().candidate_of, (Chosen{0, 1}));
    EXPECT_FALSE(scene.choose().gains);
}

TEST(ChooseJointly, MoreFindRoomBesideThoseWhoWouldInTheirTurn) {
    Scene scene({1000, 1000});
    scene.plan(1000, {{0, 0.0}, {1, 0.1}});
    scene.plan(1000, {{1, 0.0}});
    scene.plan(500, {{0, 0.0}});
    scene.plan(500, {{0, 0.0}});  // these two instead of the first would be more

    EXPECT_FALSE(scene.choose().gains);
    EXPECT_EQ(scene.choose().candidate_of, (Chosen{0, 0, std::nullopt, std::nullopt}));
}

TEST(ChooseJointly, GainsNothingWhereEachHasItsBest) {
    Scene scene({2000, 1000});
    scene.plan(1000, {{0, 0.0}, {1, 0.1}});
    scene.plan(1000, {{0, 0.0}, {1, 0.1}});

    EXPECT_FALSE(scene.choose().gains);
    EXPECT_EQ(scene.choose().candidate_of, (Chosen{0, 0}));
}

TEST(ChooseJointly, DoesNotLeaveTheFirstOfAListOfAccelerators) {
    Scene scene({1000, 1000});
    scene.plan(1000, {{0, 0.2}, {1, 0.0}});  // the second of its list loses less
    scene.plan(1000, {{0, 0.0}});

    EXPECT_FALSE(scene.choose().gains);
    EXPECT_EQ(scene.choose().candidate_of[0], 0U);
}

TEST(ChooseJointly, KeepsNothingWaitingThatWouldStartInItsTurn) {
    Scene scene({1000});
    scene.plan(1000, {{0, 0.1}});
    scene.plan(500, {{0, 0.0}});
    scene.plan(500, {{0, 0.0}});  // two instead of the first

    EXPECT_FALSE(scene.choose().gains);
    EXPECT_EQ(scene.choose().candidate_of, (Chosen{0, std::nullopt, std::nullopt}));
}

TEST(ChooseJointly, LeavesOutWhatStartsLater) {
    Scene scene({1000, 1000});
    scene.plan(1000, {{0, 0.0}, {1, 0.1}});
    scene.plan(1000, {{0, 0.0}});
    scene.plans[1].candidates[0].start_at = Time{} + std::chrono::hours(1);

    EXPECT_FALSE(scene.choose().gains);
    EXPECT_EQ(scene.choose().candidate_of, (Chosen{0, std::nullopt}));
}

TEST(ChooseJointly, NeedsNoNodeToBeLeftThatItTakesItself) {
    Scene scene({1000, 1000});
    scene.plan(500, {{0, 0.0}, {1, 0.1}, {0, 0.2}});
    EXPECT_EQ(scene.left_by(0, {.candidate_of = {2}}), std::vector{scene.nodes[1]});
    EXPECT_TRUE(scene.left_by(0, {.candidate_of = {0}}).empty());
}

TEST(ChooseJointly, LeavesTheNodesThatOthersTake) {
    Scene scene({1000, 1000, 1000});
    scene.plan(1000, {{0, 0.0}, {1, 0.1}, {2, 0.2}});
    scene.plan(1000, {{2, 0.0}});
    EXPECT_EQ(scene.left_by(0, {.candidate_of = {0, 0}}), std::vector{scene.nodes[2]});
    EXPECT_TRUE(scene.left_by(1, {.candidate_of = {0, 0}}).empty());
}

TEST(ChooseJointly, AsksForTheAcceleratorAloneThatItTakesOnANodeWithABetterOne) {
    Scene scene({1000, 1000});
    scene.plan(500, {{0, 0.0}, {1, 0.1}, {0, 0.2}});
    std::vector<Candidate>& candidates = scene.plans[0].candidates;
    candidates[0].request.accelerator = Accelerator{"A", 1000};
    candidates[1].request.accelerator = Accelerator{"B", 1000};
    candidates[2].request.accelerator = Accelerator{"B", 1000};
    EXPECT_EQ(accelerator_alone(scene.plans[0], 2), (Accelerator{"B", 1000}));
    EXPECT_EQ(accelerator_alone(scene.plans[0], 1), std::nullopt);
    EXPECT_EQ(accelerator_alone(scene.plans[0], 0), std::nullopt);
}

}  // namespace
}  // namespace penstock::scheduler
