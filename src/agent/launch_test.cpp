// SPDX-License-Identifier: Apache-2.0
#include "agent/launch.h"

#include <gtest/gtest.h>

namespace penstock::agent {
namespace {

AttemptRecord record() {
    AttemptRecord made;
    made.attempt_id = AttemptId(RawId{1, 1});
    made.start.emplace();
    made.start->attempt_id = made.attempt_id;
    made.start->task_id = TaskId(RawId{1, 2});
    made.start->item = 4;
    made.start->run = "true";
    made.start->request = {.cpu_milli = 1500, .memory_mib = 256};
    return made;
}

TEST(Launch, InjectsWhatScriptsExpect) {
    const auto env = task_environment(record(), {}, {});

    EXPECT_EQ(env.at("PENSTOCK_TASK_ID"), to_string(TaskId(RawId{1, 2})));
    EXPECT_EQ(env.at("SKYPILOT_TASK_ID"), env.at("PENSTOCK_TASK_ID"));
    EXPECT_FALSE(env.contains("SLURM_ARRAY_TASK_ID"));
    EXPECT_EQ(env.at("PENSTOCK_HEAD_IP"), "127.0.0.1");
    EXPECT_FALSE(env.contains("PENSTOCK_CHECKPOINT_DIR"));
    EXPECT_FALSE(env.contains("PENSTOCK_PORT"));
}

TEST(Launch, GivesAnArrayItemItsIndexUnderTheUsualName) {
    AttemptRecord made = record();
    made.start->environment = {{"PENSTOCK_ARRAY_INDEX", "17"}};

    EXPECT_EQ(task_environment(made, {}, {}).at("SLURM_ARRAY_TASK_ID"), "17");
}

TEST(Launch, HoldsAMemberOfAGangAndLetsItReachTheOthers) {
    AttemptRecord made = record();
    EXPECT_FALSE(launch_spec(made, {}, {}, "").hold);

    made.start->gang = GangSeat{.rank = 1, .members = 2};
    const drivers::LaunchSpec spec = launch_spec(made, {}, {}, "");

    EXPECT_TRUE(spec.hold);
    EXPECT_TRUE(spec.share_network);
}

TEST(Launch, LetsTheTaskOverruleTheNodeButNotTheFacts) {
    AttemptRecord made = record();
    made.port = 4242;
    made.start->environment = {
        {"MODEL", "mine"}, {"PENSTOCK_NUM_NODES", "2"}, {"PENSTOCK_PORT", "1"}
    };
    AgentOptions options;
    options.environment = {{"MODEL", "the node's"}, {"PENSTOCK_RUNTIME_PYTHON", "/opt/python"}};

    const auto env = task_environment(made, options, {});

    EXPECT_EQ(env.at("MODEL"), "mine");
    EXPECT_EQ(env.at("PENSTOCK_RUNTIME_PYTHON"), "/opt/python");
    EXPECT_EQ(env.at("SKYPILOT_NUM_NODES"), "2");
    EXPECT_EQ(env.at("PENSTOCK_PORT"), "4242");
}

TEST(Launch, PlacesCheckpointsBelowTheWorkDirectory) {
    EXPECT_EQ(checkpoint_folder({.path = "/out/ckpt"}).value(), "out/ckpt");
    EXPECT_EQ(checkpoint_folder({.path = "/work/ckpt"}).value(), "ckpt");
    EXPECT_FALSE(checkpoint_folder({.path = "../ckpt"}).has_value());
}

TEST(Launch, KeepsTasksOffTheNetworkUnlessTheyServe) {
    AttemptRecord made = record();

    EXPECT_FALSE(launch_spec(made, {}, {}, "/w").share_network);
    made.start->service.emplace();
    EXPECT_TRUE(launch_spec(made, {}, {}, "/w").share_network);
}

TEST(Launch, PassesTheLimitsOfTheRequest) {
    const drivers::LaunchSpec spec = launch_spec(record(), {}, {}, "/w");

    EXPECT_EQ(spec.limits, (drivers::Limits{1500, 256 << 20, kPidsMax}));
    EXPECT_EQ(spec.mounts.at(0), (drivers::BindMount{"/w/out", "/out", true}));
}

}  // namespace
}  // namespace penstock::agent
