// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>

#include "agent/agent_test_scene.h"

namespace penstock::agent {
namespace {

TEST(Agent, SaysWhatItHas) {
    Scene scene;
    scene.start_agent();

    ASSERT_TRUE(scene.until([&] { return scene.server.heartbeat.has_value(); }));

    EXPECT_EQ(scene.server.hello->node, "node-1");
    EXPECT_GT(scene.server.hello->total.cpu_milli, 0);
    EXPECT_GT(scene.server.hello->total.memory_mib, 0);
    EXPECT_FALSE(scene.server.hello->enforces.empty());
    EXPECT_EQ(scene.server.heartbeat->attempts.size(), 0U);
}

TEST(Agent, RunsATaskAndCollectsItsOutputs) {
    Scene scene;
    scene.start_agent();
    StartAttempt start = scene.task(
        "cat words.txt > out/result.txt; cp -r /out/result.txt out/copy.txt; echo hello; echo oops "
        ">&2; "
        "echo $PENSTOCK_RUNTIME_PYTHON $GREETING"
    );
    start.setup = "echo setting up > prepared";
    start.workdir_sha256 = scene.server.put(tar_of({{"words.txt", "some words"}}));
    start.environment = {{"GREETING", "hi"}};
    start.outputs = {{.path = "/out/*.txt", .required = true}, {.path = "prepared"}};

    scene.begin(start);
    const AttemptReport end = scene.ended(start);

    EXPECT_EQ(render(end), "SUCCEEDED exit=0") << end.message;
    EXPECT_EQ(scene.states(start), "STAGING RUNNING COLLECTING SUCCEEDED");
    EXPECT_EQ(scene.output(end, "out/result.txt"), "some words");
    EXPECT_EQ(scene.output(end, "prepared"), "setting up\n");
    EXPECT_EQ(scene.log(start), "hello\n/usr/bin/python3 hi\n");
    EXPECT_EQ(scene.log(start, LogStream::stderr_), "oops\n");
    EXPECT_EQ(scene.server.uploads, 2);  // two of the three files are the same
    EXPECT_TRUE(scene.until([&] { return scene.is_clean(start); }));
}

TEST(Agent, TellsTheLastLinesOfAFailure) {
    Scene scene;
    scene.start_agent();
    StartAttempt start = scene.task("echo working; echo 'no such model' >&2; exit 3");

    scene.begin(start);
    const AttemptReport end = scene.ended(start);

    EXPECT_EQ(render(end), "FAILED exit_code user exit=3");
    EXPECT_NE(end.message.find("no such model"), std::string::npos) << end.message;
    EXPECT_TRUE(end.meter.has_value());
}

TEST(Agent, MetersNothingBeforeRunning) {
    Scene scene;
    scene.start_agent();
    StartAttempt start = scene.task("echo never");
    start.setup = "echo broken; exit 5";

    scene.begin(start);
    const AttemptReport end = scene.ended(start);

    EXPECT_EQ(render(end), "FAILED setup_failed user exit=5");
    EXPECT_EQ(scene.states(start), "STAGING FAILED");
    EXPECT_EQ(end.meter->running_ms, 0);
    EXPECT_EQ(scene.log(start), "broken\n");
}

TEST(Agent, MetersWhatRan) {
    Scene scene;
    scene.start_agent();
    StartAttempt start = scene.task("sleep 0.7");

    scene.begin(start);
    const AttemptReport end = scene.ended(start);

    EXPECT_GE(end.meter->running_ms, 690);
    EXPECT_LT(end.meter->running_ms, 3000);
}

TEST(Agent, StopsWhatItIsToldToStop) {
    Scene scene;
    scene.start_agent();
    StartAttempt start = scene.task("trap 'echo ending; exit 0' TERM; echo up; sleep 1000 & wait");
    scene.begin(start);
    ASSERT_TRUE(scene.until([&] { return scene.log(start) == "up\n"; }));

    scene.end(start, TaskReason::canceled_by_user);
    const AttemptReport end = scene.ended(start);

    EXPECT_EQ(render(end).substr(0, 25), "CANCELED canceled_by_user");
    EXPECT_EQ(scene.log(start), "up\nending\n");
}

TEST(Agent, EndsAnAttemptThatItNeverHad) {
    Scene scene;
    scene.start_agent();
    const StartAttempt start = scene.task("true");

    scene.end(start, TaskReason::canceled_by_user);
    const AttemptReport end = scene.ended(start);

    EXPECT_EQ(render(end), "CANCELED canceled_by_user");
    EXPECT_EQ(end.meter->running_ms, 0);
}

TEST(Agent, KeepsTheTimeLimit) {
    Scene scene;
    scene.start_agent();
    StartAttempt start = scene.task("sleep 1000");
    start.time_limit = 300ms;

    scene.begin(start);
    const AttemptReport end = scene.ended(start);

    EXPECT_EQ(render(end).substr(0, 22), "FAILED time_limit user");
    EXPECT_GE(end.meter->running_ms, 300);
}

TEST(Agent, TellsMemoryFromFailure) {
    Scene scene;
    scene.start_agent();
    const auto& enforces = scene.server.hello->enforces;
    if (std::ranges::find(enforces, "memory") == enforces.end())
        GTEST_SKIP() << "this host gives no memory cgroup, so no memory limit is kept";
    StartAttempt start = scene.task("exec python3 -c 'x = bytearray(400 << 20); print(len(x))'");
    start.request.memory_mib = 64;

    scene.begin(start);

    EXPECT_EQ(render(scene.ended(start)).substr(0, 25), "FAILED out_of_memory user");
}

TEST(Agent, BlamesTheUserForAnUnsafeWorkdir) {
    Scene scene;
    scene.start_agent();
    StartAttempt start = scene.task("true");
    start.workdir_sha256 =
        scene.server.put("this is no archive at all, but it is long enough to be looked at");

    scene.begin(start);

    EXPECT_EQ(render(scene.ended(start)), "FAILED staging_failed user");
}

TEST(Agent, BlamesThePlatformForALostWorkdir) {
    Scene scene;
    scene.start_agent();
    StartAttempt start = scene.task("true");
    start.workdir_sha256 = std::string(64, 'a');

    scene.begin(start);

    EXPECT_EQ(render(scene.ended(start)), "FAILED staging_failed platform");
}

TEST(Agent, ChecksWhatIsAccepted) {
    Scene scene;
    scene.start_agent();
    StartAttempt good = scene.task("echo '{\"loss\": 1.5}' > out/metrics.json");
    good.acceptance.emplace().checks = {{.file = "/out/metrics.json", .jq = ".loss < 2.0"}};
    StartAttempt bad = scene.task("echo '{\"loss\": 2.5}' > out/metrics.json");
    bad.acceptance = good.acceptance;
    StartAttempt none = scene.task("true");
    none.acceptance = good.acceptance;

    for (const StartAttempt& start : {good, bad, none}) scene.begin(start);

    EXPECT_EQ(render(scene.ended(good)), "SUCCEEDED exit=0") << scene.ended(good).message;
    EXPECT_EQ(render(scene.ended(bad)), "FAILED acceptance_failed user exit=0");
    EXPECT_EQ(
        scene.ended(bad).message, "jq '.loss < 2.0' on /out/metrics.json gave false, not true"
    );
    EXPECT_EQ(render(scene.ended(none)), "FAILED acceptance_failed user exit=0");
}

TEST(Agent, FailsWithoutARequiredOutput) {
    Scene scene;
    scene.start_agent();
    StartAttempt start = scene.task("ln -s /etc/passwd out/leak.txt");
    start.outputs = {{.path = "out/*.txt", .required = true}};

    scene.begin(start);
    const AttemptReport end = scene.ended(start);

    EXPECT_EQ(render(end), "FAILED output_missing user exit=0");
    EXPECT_EQ(end.outputs.size(), 0U);
}

TEST(Agent, GoesOnFromACheckpoint) {
    Scene scene;
    scene.start_agent();
    const std::string script =
        "step=$(cat $PENSTOCK_CHECKPOINT_DIR/step 2>/dev/null || echo 0); echo from $step; "
        "while [ $step -lt 1000 ]; do step=$((step+1)); echo $step > "
        "$PENSTOCK_CHECKPOINT_DIR/step.tmp; "
        "mv $PENSTOCK_CHECKPOINT_DIR/step.tmp $PENSTOCK_CHECKPOINT_DIR/step; sleep 0.05; done";
    StartAttempt first = scene.task(script);
    first.checkpoint = CheckpointSpec{.path = "/out/ckpt", .every = 1s};
    scene.begin(first);
    ASSERT_TRUE(scene.until([&] {
        return std::ranges::any_of(scene.server.reports, [](const AttemptReport& report) {
            return report.state == TaskState::running && report.checkpoint;
        });
    }));
    scene.end(first, TaskReason::budget_exceeded, 1s, true);
    const AttemptReport end = scene.ended(first);

    StartAttempt second = scene.task(script);
    second.task_id = first.task_id;
    second.fence = 2;
    second.checkpoint = first.checkpoint;
    for (const AttemptReport& report : scene.server.reports)
        if (report.checkpoint) second.restore = report.checkpoint;
    scene.begin(second);
    ASSERT_TRUE(scene.until([&] { return scene.log(second).starts_with("from "); }));

    EXPECT_EQ(render(end).substr(0, 24), "CANCELED budget_exceeded");
    EXPECT_GT(second.restore->running_ms, 0);
    EXPECT_LE(second.restore->running_ms, end.meter->running_ms);
    EXPECT_GT(std::stoi(scene.log(second).substr(5)), 0);
}

TEST(Agent, OffersAServiceOnceItIsReady) {
    Scene scene;
    scene.start_agent();
    StartAttempt start = scene.task(
        "mkdir www; sleep 0.3; echo fine > www/health; "
        "exec python3 -m http.server --directory www --bind $PENSTOCK_HOST $PENSTOCK_PORT"
    );
    start.service.emplace().readiness_probe = {.path = "/health", .initial_delay_seconds = 20};
    scene.begin(start);
    ASSERT_TRUE(scene.reached(start, TaskState::running)) << scene.log(start);
    ASSERT_TRUE(scene.until([&] {
        return scene.server.heartbeat && scene.server.heartbeat->attempts.size() == 1;
    }));
    const auto& running =
        *std::ranges::find(scene.server.reports, TaskState::running, &AttemptReport::state);

    http::Client client(scene.runtime);
    const auto answer = scene.runtime.block_on(
        client.send({.url = *running.service_url + "/health"}, io::Deadline::after(5s))
    );
    scene.end(start, TaskReason::canceled_by_user, 1s);

    ASSERT_TRUE(answer.has_value()) << to_string(answer.error());
    EXPECT_EQ(answer->body, "fine\n");
    EXPECT_EQ(render(scene.ended(start)).substr(0, 25), "CANCELED canceled_by_user");
}

TEST(Agent, GivesUpAServiceThatIsNeverReady) {
    Scene scene;
    scene.start_agent();
    StartAttempt start = scene.task("echo deaf; sleep 1000");
    start.service.emplace().readiness_probe = {.path = "/health", .initial_delay_seconds = 1};

    scene.begin(start);
    const AttemptReport end = scene.ended(start);

    EXPECT_EQ(render(end).substr(0, 21), "FAILED not_ready user");
    EXPECT_EQ(end.meter->running_ms, 0);
    EXPECT_EQ(scene.states(start), "STAGING FAILED");
}

TEST(Agent, StartsTheSameAttemptOnce) {
    Scene scene;
    scene.start_agent();
    StartAttempt start = scene.task("echo once; sleep 0.3");

    scene.begin(start);
    scene.begin(start);
    ASSERT_TRUE(scene.reached(start, TaskState::running));
    scene.begin(start);
    scene.ended(start);

    EXPECT_EQ(scene.log(start), "once\n");
    EXPECT_EQ(scene.states(start), "STAGING RUNNING COLLECTING SUCCEEDED");
}

TEST(Agent, RepeatsTheEndOfAnAttemptThatIsAskedForAgain) {
    Scene scene;
    scene.start_agent();
    StartAttempt start = scene.task("true");
    scene.begin(start);
    scene.ended(start);
    ASSERT_TRUE(scene.until([&] { return scene.is_clean(start); }));
    scene.server.reports.clear();

    scene.begin(start);

    EXPECT_EQ(render(scene.ended(start)), "SUCCEEDED exit=0");
}

TEST(Agent, RunsOnlyTheNewestFenceOfAnItem) {
    Scene scene;
    scene.start_agent();
    StartAttempt first = scene.task("sleep 1000");
    first.fence = 2;
    scene.begin(first);
    ASSERT_TRUE(scene.reached(first, TaskState::running));
    StartAttempt older = scene.task("echo must not run");
    older.task_id = first.task_id;
    older.fence = 1;
    StartAttempt newer = scene.task("echo newest");
    newer.task_id = first.task_id;
    newer.fence = 3;

    scene.begin(older);
    scene.begin(newer);

    EXPECT_EQ(render(scene.ended(newer)), "SUCCEEDED exit=0");
    EXPECT_EQ(render(scene.ended(first)).substr(0, 8), "CANCELED");
    EXPECT_EQ(scene.states(older), "");
}

TEST(Agent, SharesAcceleratorsOneAfterTheOther) {
    Scene scene;
    scene.simulated = {{.model = "H100", .count = 1, .memory_mib = 1024}};
    scene.start_agent();
    StartAttempt first = scene.task("sleep 0.5; echo $PENSTOCK_SIMULATED_DEVICES");
    first.request.accelerator = Accelerator{"H100", 1000};
    StartAttempt second = first;
    second.attempt_id = scene.task("").attempt_id;
    second.task_id = scene.task("").task_id;

    scene.begin(first);
    scene.begin(second);
    const AttemptReport first_end = scene.ended(first);
    const AttemptReport end = scene.ended(second);

    EXPECT_EQ(render(first_end), "SUCCEEDED exit=0") << first_end.message;
    EXPECT_EQ(render(end), "SUCCEEDED exit=0") << end.message;
    EXPECT_TRUE(scene.server.hello->simulated);
    EXPECT_EQ(scene.log(first), "0\n");
    EXPECT_EQ(scene.log(second), "0\n");
}

}  // namespace
}  // namespace penstock::agent
