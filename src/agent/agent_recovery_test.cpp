// SPDX-License-Identifier: Apache-2.0
// What an agent does when it, the server or the line between them dies.
#include <gtest/gtest.h>

#include <algorithm>

#include "agent/agent_test_scene.h"

namespace penstock::agent {
namespace {

int count_of(const Scene& scene, const StartAttempt& start, TaskState state) {
    return static_cast<int>(std::ranges::count_if(
        scene.server.reports,
        [&](const AttemptReport& report) {
            return report.attempt_id == start.attempt_id && report.state == state;
        }
    ));
}

std::string numbers(int from, int to) {
    std::string text;
    for (int i = from; i <= to; ++i) text += std::to_string(i) + "\n";
    return text;
}

TEST(AgentRecovery, ComesBackAfterTheServerRestarts) {
    Scene scene;
    scene.start_agent();
    StartAttempt start =
        scene.task("for i in $(seq 1 400); do echo $i; sleep 0.002; done; echo done > out/end");
    start.outputs = {{.path = "out/*", .required = true}};
    scene.begin(start);
    ASSERT_TRUE(scene.reached(start, TaskState::running));

    scene.runtime.block_on(scene.server.stop());
    scene.server.start();
    const AttemptReport end = scene.ended(start);

    EXPECT_EQ(render(end), "SUCCEEDED exit=0") << end.message;
    EXPECT_EQ(scene.output(end, "out/end"), "done\n");
    EXPECT_EQ(scene.log(start), numbers(1, 400));
    EXPECT_EQ(count_of(scene, start, TaskState::succeeded), 1);
}

TEST(AgentRecovery, RepeatsWhatAServerForgotBeforeItAcknowledged) {
    Scene scene;
    scene.start_agent();
    StartAttempt start = scene.task("echo hello");
    scene.server.answers = false;
    scene.begin(start);
    ASSERT_TRUE(scene.until([&] { return scene.server.hello && scene.is_started(start); }));
    scene.runtime.block_on(scene.server.stop());

    scene.server.answers = true;
    scene.server.start();
    const AttemptReport end = scene.ended(start);

    EXPECT_EQ(render(end), "SUCCEEDED exit=0");
    EXPECT_EQ(scene.states(start), "STAGING RUNNING COLLECTING SUCCEEDED");
    EXPECT_TRUE(scene.until([&] { return scene.log(start) == "hello\n"; }));
}

TEST(AgentRecovery, NumbersAboveWhatAServerRemembers) {
    Scene scene;
    scene.server.acknowledged = 5'000'000;  // from an agent whose state was lost
    scene.start_agent();
    StartAttempt start = scene.task("true");

    scene.begin(start);

    EXPECT_EQ(render(scene.ended(start)), "SUCCEEDED exit=0");
}

TEST(AgentRecovery, AdoptsWhatRanWhileItWasDead) {
    Scene scene;
    const pid_t first = scene.start_agent_process();
    ASSERT_TRUE(scene.until([&] { return scene.server.heartbeat.has_value(); }));
    StartAttempt start =
        scene.task("echo first; while [ ! -e out/go ]; do sleep 0.01; done; echo last; sleep 0.2");
    StartAttempt quick = scene.task("sleep 0.4; echo '7' > out/seven");
    quick.outputs = {{.path = "out/seven"}};
    scene.begin(start);
    scene.begin(quick);
    ASSERT_TRUE(scene.reached(start, TaskState::running));
    ASSERT_TRUE(scene.reached(quick, TaskState::running));

    Scene::kill_process(first);
    ASSERT_TRUE(scene.until([&] { return !scene.has_process(quick); }));
    const pid_t second = scene.start_agent_process();
    const AttemptReport quick_end = scene.ended(quick);
    ASSERT_TRUE(scene.until([&] {
        return scene.server.heartbeat && scene.server.heartbeat->attempts.size() == 1;
    }));
    scene.touch(start, "out/go");
    const AttemptReport end = scene.ended(start);
    Scene::kill_process(second);

    EXPECT_EQ(render(end), "SUCCEEDED exit=0");
    EXPECT_EQ(render(quick_end), "SUCCEEDED exit=0");
    EXPECT_EQ(scene.output(quick_end, "out/seven"), "7\n");
    EXPECT_EQ(scene.log(start), "first\nlast\n");
    EXPECT_EQ(count_of(scene, start, TaskState::running), 1);
    EXPECT_GE(quick_end.meter->running_ms, 390);
    EXPECT_LT(quick_end.meter->running_ms, 2000);
}

// Every few milliseconds further into the life of an attempt the agent dies; the attempt ends once,
// has run once, and its meter, log and outputs are whole.
TEST(AgentRecovery, LosesNothingWhereverItIsKilled) {
    for (int after_ms = 0; after_ms <= 600; after_ms += 50) {
        SCOPED_TRACE(std::to_string(after_ms) + " ms");
        Scene scene;
        const pid_t first = scene.start_agent_process();
        ASSERT_TRUE(scene.until([&] { return scene.server.hello.has_value(); }));
        StartAttempt start =
            scene.task("echo begin; echo x >> out/runs; cat words; sleep 0.15; echo end");
        start.setup = "sleep 0.05";
        start.workdir_sha256 = scene.server.put(tar_of({{"words", "words\n"}}));
        start.outputs = {{.path = "out/*", .required = true}};
        const int sessions = scene.server.sessions;
        scene.begin(start);
        scene.wait(std::chrono::milliseconds(after_ms));
        Scene::kill_process(first);
        const pid_t second = scene.start_agent_process();
        ASSERT_TRUE(scene.until([&] {
            return scene.server.sessions > sessions && scene.server.is_connected();
        }));
        if (scene.states(start).empty())
            scene.begin(start);  // as a server does with what nobody took up

        const AttemptReport end = scene.ended(start);
        EXPECT_TRUE(scene.until([&] { return scene.log(start) == "begin\nwords\nend\n"; }))
            << scene.log(start);
        EXPECT_TRUE(scene.until([&] { return scene.is_clean(start); }));
        Scene::kill_process(second);

        EXPECT_EQ(render(end), "SUCCEEDED exit=0") << end.message;
        EXPECT_EQ(scene.output(end, "out/runs"), "x\n");
        EXPECT_EQ(count_of(scene, start, TaskState::succeeded), 1);
        EXPECT_GE(end.meter->running_ms, 150);
    }
}

}  // namespace
}  // namespace penstock::agent
