// SPDX-License-Identifier: Apache-2.0
#include "drivers/driver_conformance.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <sstream>
#include <thread>

namespace penstock::drivers {
namespace {

std::atomic<int> spec_number = 0;

}  // namespace

std::string shown(const Status& status) {
    return fmt::format(
        "{} {} code={} signal={} oom={}", name(status.state), name(status.cause),
        status.exit_code ? fmt::format("{}", *status.exit_code) : "none",
        status.signal ? fmt::format("{}", *status.signal) : "none", status.out_of_memory
    );
}

void DriverConformance::SetUp() {
    under_test_ = GetParam()();
    ASSERT_NE(under_test_, nullptr);
    driver_ = under_test_->open();
    ASSERT_NE(driver_, nullptr);
}

void DriverConformance::TearDown() {
    if (driver_ == nullptr) return;
    for (const std::string& attempt : attempts_) {
        const Result<void> cleaned = driver_->clean(attempt);
        EXPECT_TRUE(cleaned) << to_string(cleaned.error());
        EXPECT_EQ(under_test_->remains(attempt), std::vector<std::string>());
    }
}

LaunchSpec DriverConformance::spec(const std::string& script) {
    LaunchSpec spec{
        .attempt_id = fmt::format("at_test-{}-{}", ::getpid(), spec_number++), .script = script
    };
    attempts_.push_back(spec.attempt_id);
    return spec;
}

Status DriverConformance::run(const LaunchSpec& spec) {
    Result<Status> status = driver_->start(spec);
    if (status) status = driver_->wait(spec.attempt_id, kTestTimeMax);
    EXPECT_TRUE(status) << to_string(status.error());
    return status.value_or(Status{});
}

Status DriverConformance::started(const LaunchSpec& spec) {
    Result<Status> status = driver_->start(spec);
    for (Duration waited{}; status && status->state == RunState::starting && waited < kTestTimeMax;
         waited += 10ms)
        status = driver_->wait(spec.attempt_id, 10ms);
    EXPECT_TRUE(status) << to_string(status.error());
    return status.value_or(Status{});
}

std::string DriverConformance::log(const LaunchSpec& spec) {
    std::string text;
    bool joined = false;
    for (std::int64_t offset = 0;;) {
        const Result<LogChunk> chunk = driver_->read_log(spec.attempt_id, offset, 4096);
        if (!chunk || chunk->lines.empty()) return text;
        for (const LogLine& line : chunk->lines) {
            text += (joined ? "" : line.stream + ": ") + line.text + (line.partial ? "" : "\n");
            joined = line.partial;
        }
        offset = chunk->next_offset;
    }
}

std::string DriverConformance::work_file(const LaunchSpec& spec, const std::string& name) {
    const Result<Prepared> prepared = driver_->prepare(spec);
    if (!prepared) return "not prepared";
    std::ifstream file(prepared->work_dir + "/" + name);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

bool DriverConformance::wait_for_log(const LaunchSpec& spec, const std::string& text) {
    for (Duration waited{}; waited < kTestTimeMax; waited += 20ms) {
        if (log(spec).find(text) != std::string::npos) return true;
        (void)driver_->wait(spec.attempt_id, 20ms);
    }
    return false;
}

bool DriverConformance::enforces(const std::string& what) {
    const std::vector<std::string> kept = driver_->enforces();
    return std::ranges::find(kept, what) != kept.end();
}

TEST_P(DriverConformance, RunsAScriptToItsExitCode) {
    const LaunchSpec task = spec("echo hello; exit 7");

    const Status end = run(task);

    EXPECT_EQ(shown(end), "exited exited code=7 signal=none oom=false");
    EXPECT_EQ(log(task), "stdout: hello\n");
    EXPECT_LE(end.starting_at, end.running_at);
    EXPECT_LE(end.running_at, end.ended_at);
}

TEST_P(DriverConformance, KeepsTheStreamsApartAndTheLastLineWithoutItsEnd) {
    const LaunchSpec task = spec("echo to-out; echo to-err >&2; printf no-line-end");

    run(task);

    const std::string text = log(task);
    EXPECT_NE(text.find("stdout: to-out\n"), std::string::npos);
    EXPECT_NE(text.find("stderr: to-err\n"), std::string::npos);
    EXPECT_NE(text.find("stdout: no-line-end\n"), std::string::npos);
}

TEST_P(DriverConformance, ReadsALogFromAnyOffsetUntilItIsComplete) {
    const LaunchSpec task = spec("for i in $(seq 1000); do echo line-$i; done");
    run(task);
    std::size_t lines = 0;
    std::int64_t offset = 0;
    bool complete = false;

    for (int reads = 0; reads < 100 && !complete; ++reads) {
        const Result<LogChunk> chunk = driver_->read_log(task.attempt_id, offset, 2000);
        ASSERT_TRUE(chunk);
        lines += chunk->lines.size();
        offset = chunk->next_offset;
        complete = chunk->complete;
    }

    EXPECT_TRUE(complete);
    EXPECT_EQ(lines, 1000U);
}

TEST_P(DriverConformance, ASecondStartFindsTheFirst) {
    const LaunchSpec task = spec("echo once >> count; sleep 0.2");
    ASSERT_TRUE(driver_->start(task));

    const Result<Status> second = driver_->start(task);
    const Status end = run(task);
    const Result<Status> third = driver_->start(task);

    ASSERT_TRUE(second && third);
    EXPECT_FALSE(second->ended());
    EXPECT_EQ(*third, end);
    EXPECT_EQ(work_file(task, "count"), "once\n");
}

TEST_P(DriverConformance, StartsFromSeveralThreadsAndDriversMakeOneRun) {
    const LaunchSpec task = spec("echo once >> count");
    const std::unique_ptr<Driver> other = under_test_->open();
    std::atomic<int> succeeded = 0;

    std::vector<std::thread> threads;
    for (int i = 0; i < 6; ++i)
        threads.emplace_back([&, i] {
            succeeded += (i % 2 == 0 ? *driver_ : *other).start(task) ? 1 : 0;
        });
    for (std::thread& thread : threads) thread.join();

    EXPECT_EQ(succeeded, 6);
    EXPECT_EQ(run(task).exit_code, 0);
    EXPECT_EQ(work_file(task, "count"), "once\n");
}

TEST_P(DriverConformance, AnOlderFenceCanNeitherPrepareNorStart) {
    LaunchSpec task = spec("echo $WHO > who");
    task.fence = 5;
    task.environment["WHO"] = "new";
    run(task);

    LaunchSpec older = task;
    older.fence = 4;
    older.environment["WHO"] = "old";
    const auto prepared = driver_->prepare(older);
    const auto started = driver_->start(older);

    ASSERT_FALSE(prepared || started);
    EXPECT_EQ(prepared.error().code, ErrorCode::conflict);
    EXPECT_EQ(started.error().code, ErrorCode::conflict);
    EXPECT_EQ(work_file(task, "who"), "new\n");
}

TEST_P(DriverConformance, ANewerFenceEndsTheOlderRunAndStartsAfresh) {
    LaunchSpec task = spec("echo $WHO >> who; sleep $HOW_LONG; echo $WHO >> who");
    task.environment = {{"WHO", "old"}, {"HOW_LONG", "60"}};
    started(task);

    task.fence = 2;
    task.environment = {{"WHO", "new"}, {"HOW_LONG", "0"}};
    const Status end = run(task);

    EXPECT_EQ(shown(end), "exited exited code=0 signal=none oom=false");
    EXPECT_EQ(end.fence, 2);
    EXPECT_EQ(work_file(task, "who"), "new\nnew\n");
}

TEST_P(DriverConformance, TheEnvironmentIsWhatWasGivenAndNoMore) {
    LaunchSpec task = spec("env | grep -v -E '^(PWD|SHLVL|_|OLDPWD)=' | LC_ALL=C sort");
    task.environment = {{"A", "1"}, {"TEXT", "two words; $HOME \"quoted\""}};
    task.limits.cpu_milli = 1500;
    task.demand_enforcement = false;

    run(task);

    EXPECT_EQ(
        log(task),
        "stdout: A=1\n"
        "stdout: HOME=/work\n"
        "stdout: LANG=C.UTF-8\n"
        "stdout: OMP_NUM_THREADS=2\n"
        "stdout: OMP_WAIT_POLICY=passive\n"
        "stdout: PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
        "stdout: TEXT=two words; $HOME \"quoted\"\n"
    );
}

TEST_P(DriverConformance, RunsInTheWorkDirectoryWithWhatWasStagedThere) {
    const LaunchSpec task = spec("pwd; cat in/data; echo result > out; echo more >> in/data");
    const Result<Prepared> prepared = driver_->prepare(task);
    ASSERT_TRUE(prepared);
    ASSERT_EQ(
        ::system(("mkdir " + prepared->work_dir + "/in && echo staged > " + prepared->work_dir +
                  "/in/data")
                     .c_str()),
        0
    );

    const Status end = run(task);

    EXPECT_EQ(end.exit_code, 0);
    EXPECT_EQ(log(task), "stdout: /work\nstdout: staged\n");
    EXPECT_EQ(work_file(task, "out"), "result\n");
    EXPECT_EQ(work_file(task, "in/data"), "staged\nmore\n");
}

TEST_P(DriverConformance, SetupRunsBeforeTheScriptWhileTheRunIsStarting) {
    LaunchSpec task = spec("cat made-by-setup");
    task.setup = "echo ready > made-by-setup; until [ -e go ]; do sleep 0.02; done";
    ASSERT_TRUE(driver_->start(task));
    const Result<Status> during = driver_->wait(task.attempt_id, 200ms);
    ASSERT_EQ(::system(("touch " + driver_->prepare(task)->work_dir + "/go").c_str()), 0);

    const Result<Status> end = driver_->wait(task.attempt_id, kTestTimeMax);

    EXPECT_EQ(during->state, RunState::starting);
    EXPECT_EQ(end->exit_code, 0);
    EXPECT_EQ(log(task), "stdout: ready\n");
}

TEST_P(DriverConformance, AHeldRunWaitsAfterItsSetupUntilItIsReleased) {
    LaunchSpec task = spec("cat made-by-setup");
    task.setup = "echo ready > made-by-setup";
    task.hold = true;
    ASSERT_TRUE(driver_->start(task));
    Result<Status> waiting = driver_->wait(task.attempt_id, 100ms);
    const SystemClock clock;
    const Duration until = clock.monotonic() + kTestTimeMax;
    while (waiting && !waiting->held && clock.monotonic() < until)
        waiting = driver_->wait(task.attempt_id, 100ms);
    ASSERT_TRUE(waiting->held);
    EXPECT_FALSE(waiting->running_at);

    ASSERT_TRUE(driver_->release(task.attempt_id));
    ASSERT_TRUE(driver_->release(task.attempt_id));
    const Result<Status> end = driver_->wait(task.attempt_id, kTestTimeMax);

    EXPECT_EQ(end->exit_code, 0);
    EXPECT_FALSE(end->held);
    EXPECT_EQ(log(task), "stdout: ready\n");
}

TEST_P(DriverConformance, AHeldRunCanBeStopped) {
    LaunchSpec task = spec("echo never");
    task.hold = true;
    ASSERT_TRUE(driver_->start(task));

    ASSERT_TRUE(driver_->stop(task.attempt_id, 5s));

    const Result<Status> end = driver_->wait(task.attempt_id, kTestTimeMax);
    EXPECT_EQ(shown(*end), "exited stopped code=none signal=none oom=false");
    EXPECT_EQ(log(task), "");
}

TEST_P(DriverConformance, AFailingSetupEndsTheRunBeforeTheScript) {
    LaunchSpec task = spec("echo never");
    task.setup = "echo before; false; echo after";

    const Status end = run(task);

    EXPECT_EQ(shown(end), "exited setup_failed code=1 signal=none oom=false");
    EXPECT_EQ(log(task), "stdout: before\n");
    EXPECT_FALSE(end.running_at);
}

TEST_P(DriverConformance, TellsASignalFromAnExitCodeAndFromMemory) {
    const LaunchSpec task = spec("kill -9 $$");

    const Status end = run(task);

    EXPECT_EQ(shown(end), "exited signal code=137 signal=9 oom=false");
}

TEST_P(DriverConformance, WhatIsLeftInTheBackgroundEndsWithTheScript) {
    const LaunchSpec task = spec("(setsid sleep 600 &) ; sleep 600 & exit 3");

    const Status end = run(task);

    EXPECT_EQ(shown(end), "exited exited code=3 signal=none oom=false");
}

TEST_P(DriverConformance, StopLetsTheTaskEndByItselfWithinTheGrace) {
    const LaunchSpec task =
        spec("trap 'echo saved; exit 0' TERM; echo ready; while :; do sleep 0.05; done");
    started(task);
    ASSERT_TRUE(wait_for_log(task, "ready"));

    const Result<void> stopped = driver_->stop(task.attempt_id, 20s);

    ASSERT_TRUE(stopped) << to_string(stopped.error());
    EXPECT_EQ(
        shown(*driver_->status(task.attempt_id)), "exited stopped code=0 signal=none oom=false"
    );
    EXPECT_NE(log(task).find("saved"), std::string::npos);
}

TEST_P(DriverConformance, StopReachesTheWholeTree) {
    const LaunchSpec task = spec(
        "for i in 1 2 3; do bash -c 'trap \"echo child-ends; exit\" TERM; echo child-ready; "
        "while :; do sleep 0.05; done' & done; wait; wait"
    );
    started(task);
    ASSERT_TRUE(wait_for_log(task, "child-ready\nstdout: child-ready\nstdout: child-ready"));

    ASSERT_TRUE(driver_->stop(task.attempt_id, 20s));

    EXPECT_NE(log(task).find("child-ends"), std::string::npos);
}

TEST_P(DriverConformance, StopWaitsForAChildThatSavesItsWorkAfterTheShellHasEnded) {
    const LaunchSpec task = spec(
        "bash -c 'trap \"sleep 0.5; echo saved > /work/checkpoint; exit\" TERM; echo ready; "
        "while :; do sleep 0.05; done'; echo not-reached"
    );
    started(task);
    ASSERT_TRUE(wait_for_log(task, "ready"));

    ASSERT_TRUE(driver_->stop(task.attempt_id, 20s));

    EXPECT_EQ(
        shown(*driver_->status(task.attempt_id)), "exited stopped code=143 signal=15 oom=false"
    );
    EXPECT_EQ(work_file(task, "checkpoint"), "saved\n");
    EXPECT_EQ(log(task).find("not-reached"), std::string::npos);
}

TEST_P(DriverConformance, AScriptThatSignalsItsOwnGroupIsNotTakenForStopped) {
    const LaunchSpec task =
        spec("trap 'trap - TERM; kill 0' EXIT; (setsid sleep 600 &); sleep 600 & exit 0");

    EXPECT_EQ(shown(run(task)), "exited signal code=143 signal=15 oom=false");
}

TEST_P(DriverConformance, StopKillsWhatIgnoresItAndDaemonsOfTwoForks) {
    const LaunchSpec task = spec(
        "trap '' TERM; (setsid bash -c 'trap \"\" TERM; (setsid sleep 601 &); echo ready; sleep "
        "602' &); sleep 603"
    );
    started(task);
    ASSERT_TRUE(wait_for_log(task, "ready"));

    const Result<void> stopped = driver_->stop(task.attempt_id, 200ms);

    ASSERT_TRUE(stopped) << to_string(stopped.error());
    const Result<Status> end = driver_->status(task.attempt_id);
    EXPECT_EQ(end->state, RunState::exited);
    EXPECT_EQ(end->cause, Cause::stopped);
    EXPECT_EQ(::system("pgrep -f '^sleep 60[123]$' > /dev/null"), 256) << "a process survived";
}

TEST_P(DriverConformance, StoppingTwiceOrWhatIsGoneSucceeds) {
    const LaunchSpec task = spec("sleep 600");
    started(task);

    EXPECT_TRUE(driver_->stop(task.attempt_id, 0s));
    EXPECT_TRUE(driver_->stop(task.attempt_id, 0s));
    EXPECT_TRUE(driver_->stop("at_never-was", 0s));
}

TEST_P(DriverConformance, AStopRightAfterTheStartIsNotLost) {
    for (int i = 0; i < 8; ++i) {
        LaunchSpec task = spec("sleep 600");
        if (i % 2 == 1) task.setup = "sleep 600";
        ASSERT_TRUE(driver_->start(task));

        const Result<void> stopped = driver_->stop(task.attempt_id, 0s);

        ASSERT_TRUE(stopped) << to_string(stopped.error());
        const Result<Status> end = driver_->status(task.attempt_id);
        EXPECT_EQ(end->state, RunState::exited);
        EXPECT_EQ(end->cause, Cause::stopped);
        EXPECT_LT(*end->ended_at - *end->starting_at, 5s);
    }
}

TEST_P(DriverConformance, AServiceIsReachedOnlyOverASharedNetwork) {
    LaunchSpec task = spec(
        "exec /usr/bin/python3 -u -c 'import socket\n"
        "s = socket.create_server((\"127.0.0.1\", 0)); print(s.getsockname()[1])\n"
        "while True: s.accept()[0].close()'"
    );
    task.share_network = true;
    LaunchSpec alone = task;
    alone.attempt_id += "-alone";
    alone.share_network = false;
    attempts_.push_back(alone.attempt_id);
    started(task);
    started(alone);
    ASSERT_TRUE(wait_for_log(task, "\n") && wait_for_log(alone, "\n"));

    const auto connects = [&](const LaunchSpec& spec) {
        const std::string port = log(spec).substr(std::string("stdout: ").size());
        return ::system(("bash -c 'exec 3<> /dev/tcp/127.0.0.1/" + port.substr(0, port.size() - 1) +
                         "' 2> /dev/null")
                            .c_str()) == 0;
    };

    EXPECT_TRUE(connects(task));
    EXPECT_FALSE(connects(alone));
}

TEST_P(DriverConformance, AnotherDriverFindsEveryRunAndGoesOn) {
    const LaunchSpec done = spec("exit 4");
    const LaunchSpec going = spec("until [ -e go ]; do sleep 0.02; done; echo finished; exit 5");
    run(done);
    started(going);
    driver_.reset();

    driver_ = under_test_->open();
    Result<std::vector<Status>> found = driver_->adopt();
    ASSERT_EQ(::system(("touch " + driver_->prepare(going)->work_dir + "/go").c_str()), 0);
    const Result<Status> end = driver_->wait(going.attempt_id, kTestTimeMax);

    ASSERT_TRUE(found);
    ASSERT_EQ(found->size(), 2U);
    EXPECT_EQ(shown(found->at(0)), "exited exited code=4 signal=none oom=false");
    EXPECT_EQ(found->at(1).state, RunState::running);
    EXPECT_EQ(end->exit_code, 5);
    EXPECT_EQ(log(going), "stdout: finished\n");
}

TEST_P(DriverConformance, CleanRemovesEverythingAlsoOfARunThatGoesOn) {
    const LaunchSpec task = spec("mkdir -p a/b; touch a/b/c; chmod 000 a/b a; sleep 600");
    started(task);

    const Result<void> cleaned = driver_->clean(task.attempt_id);

    ASSERT_TRUE(cleaned) << to_string(cleaned.error());
    EXPECT_EQ(under_test_->remains(task.attempt_id), std::vector<std::string>());
    EXPECT_FALSE(driver_->status(task.attempt_id));
    EXPECT_TRUE(driver_->clean(task.attempt_id));
    EXPECT_TRUE(driver_->adopt()->empty());
}

TEST_P(DriverConformance, AfterCleanTheAttemptCanRunAgain) {
    const LaunchSpec task = spec("echo once >> count");
    run(task);
    ASSERT_TRUE(driver_->clean(task.attempt_id));

    EXPECT_EQ(run(task).exit_code, 0);
    EXPECT_EQ(work_file(task, "count"), "once\n");
}

TEST_P(DriverConformance, WhatNobodyStartedIsNotFound) {
    EXPECT_EQ(driver_->status("at_never-was").error().code, ErrorCode::not_found);
    EXPECT_EQ(driver_->meter("at_never-was").error().code, ErrorCode::not_found);
    EXPECT_EQ(driver_->status("../etc").error().code, ErrorCode::not_found);
}

}  // namespace penstock::drivers
