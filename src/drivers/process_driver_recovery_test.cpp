// SPDX-License-Identifier: Apache-2.0
// Death of the agent, of the supervisor and of processes between any two steps.
#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "drivers/process_driver_test.h"

namespace penstock::drivers {
namespace {

// Runs `body` in a child process and waits until it is dead; true when it died by KILL.
template <class Body>
bool killed_in_child(Body body) {
    const pid_t child = ::fork();
    if (child == 0) {
        body();
        ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

TEST_F(ProcessDriverTest, ARunSurvivesTheKillOfTheAgentAndIsAdopted) {
    const LaunchSpec task =
        spec("echo first; until [ -e go ]; do sleep 0.02; done; echo last; exit 9");
    ASSERT_TRUE(killed_in_child([&] {
        const auto agent = under_test_.open_process_driver();
        (void)agent->start(task);
        ::kill(::getpid(), SIGKILL);
    }));

    const Result<std::vector<Status>> found = driver_->adopt();
    ASSERT_TRUE(eventually([&] { return log(task) == "first\n"; }));
    ASSERT_EQ(::system(("touch " + driver_->prepare(task)->work_dir + "/go").c_str()), 0);
    const Result<Status> end = driver_->wait(task.attempt_id, kTestTimeMax);

    ASSERT_EQ(found->size(), 1U);
    EXPECT_EQ(found->front().attempt_id, task.attempt_id);
    EXPECT_EQ(end->exit_code, 9);
    EXPECT_EQ(log(task), "first\nlast\n");
    EXPECT_TRUE(driver_->read_log(task.attempt_id, 0, 1 << 20)->complete);
}

TEST_F(ProcessDriverTest, ARunWhoseSupervisorIsKilledIsLostAndItsTreeEnds) {
    const LaunchSpec task = spec("(setsid sleep 700 &); sleep 701");
    started(task);
    const RunDirectory files(under_test_.options.state_dir + "/" + task.attempt_id);
    ASSERT_EQ(::kill(files.read_claim()->value().supervisor.pid, SIGKILL), 0);

    const Result<Status> end = driver_->wait(task.attempt_id, kTestTimeMax);

    EXPECT_EQ(end->state, RunState::lost);
    EXPECT_EQ(end->cause, Cause::vanished);
    EXPECT_TRUE(driver_->stop(task.attempt_id, 1s));
    EXPECT_TRUE(eventually([] { return ::system("pgrep -f '^sleep 70[01]$' > /dev/null") == 256; })
    );
    EXPECT_EQ(driver_->start(task)->state, RunState::lost) << "a second start finds the first";
}

TEST_F(ProcessDriverTest, AClaimOfAnotherBootOrOfAReusedNumberIsLost) {
    const LaunchSpec task = spec("sleep 60");
    started(task);
    const RunDirectory files(under_test_.options.state_dir + "/" + task.attempt_id);
    Claim claim = files.read_claim()->value();
    ASSERT_TRUE(driver_->stop(task.attempt_id, 0s));
    for (const char* name : {"claim.json", "exit.json"})
        ASSERT_EQ(::unlink(files.file(name).c_str()), 0);

    claim.supervisor = {.pid = ::getpid(), .start_ticks = 1};
    ASSERT_TRUE(files.write_claim(claim));
    const Status reused = driver_->status(task.attempt_id).value();
    ASSERT_EQ(::unlink(files.file("claim.json").c_str()), 0);
    claim.supervisor = identify(::getpid()).value();
    claim.boot_id = "another";
    ASSERT_TRUE(files.write_claim(claim));
    const Status restarted = driver_->status(task.attempt_id).value();

    EXPECT_EQ(reused.state, RunState::lost);
    EXPECT_EQ(restarted.state, RunState::lost);
    EXPECT_EQ(restarted.reason, "the host was restarted");
}

TEST_F(ProcessDriverTest, ASupersededSupervisorCannotReport) {
    const LaunchSpec task = spec("until [ -e go ]; do sleep 0.02; done; exit 3");
    started(task);
    const RunDirectory files(under_test_.options.state_dir + "/" + task.attempt_id);
    const ProcessIdentity supervisor = files.read_claim()->value().supervisor;
    ASSERT_TRUE(files.write_fence(2));
    ASSERT_EQ(::system(("touch " + files.work() + "/go").c_str()), 0);

    ASSERT_TRUE(eventually([&] { return !is_alive(supervisor); }));

    EXPECT_FALSE(exists(files.file("exit.json")));
}

// A driver dies after each of its steps; another one can start the attempt, and clean removes it.
class KilledAfter : public ProcessDriverTest, public testing::WithParamInterface<const char*> {};

TEST_P(KilledAfter, StartingAgainMakesOneRunAndCleanLeavesNothing) {
    const LaunchSpec task = spec("echo once >> count");
    ASSERT_TRUE(killed_in_child([&] {
        ProcessDriverOptions options = under_test_.options;
        bool armed = false;
        options.after_step = [&](std::string_view step) {
            if (armed && step == GetParam()) ::kill(::getpid(), SIGKILL);
        };
        auto agent = ProcessDriver::open(options).value();
        armed = true;
        (void)agent->start(task);
    }));

    const Status end = run(task);
    const Result<std::string> count = read_file(driver_->prepare(task)->work_dir + "/count");

    EXPECT_EQ(end.exit_code, 0) << end.reason;
    EXPECT_EQ(count.value_or("none"), "once\n");
    ASSERT_TRUE(driver_->clean(task.attempt_id));
    EXPECT_EQ(under_test_.remains(task.attempt_id), std::vector<std::string>());
}

TEST_P(KilledAfter, CleanAloneLeavesNothing) {
    const LaunchSpec task = spec("sleep 600");
    ASSERT_TRUE(killed_in_child([&] {
        ProcessDriverOptions options = under_test_.options;
        bool armed = false;
        options.after_step = [&](std::string_view step) {
            if (armed && step == GetParam()) ::kill(::getpid(), SIGKILL);
        };
        auto agent = ProcessDriver::open(options).value();
        armed = true;
        (void)agent->start(task);
    }));

    ASSERT_TRUE(driver_->clean(task.attempt_id));

    EXPECT_EQ(under_test_.remains(task.attempt_id), std::vector<std::string>());
}

INSTANTIATE_TEST_SUITE_P(
    Steps, KilledAfter,
    testing::Values(
        "run directory made", "fence written", "work directory made", "user given", "files written",
        "cgroup made", "launch written", "supervisor started"
    ),
    [](const auto& info) {
        std::string name = info.param;
        std::ranges::replace(name, ' ', '_');
        return name;
    }
);

class KilledInClean : public ProcessDriverTest, public testing::WithParamInterface<const char*> {};

TEST_P(KilledInClean, TheNextCleanOrOpenFinishesIt) {
    const LaunchSpec task = spec("mkdir a; touch a/b; sleep 600");
    started(task);
    ASSERT_TRUE(killed_in_child([&] {
        ProcessDriverOptions options = under_test_.options;
        bool armed = false;
        options.after_step = [&](std::string_view step) {
            if (armed && step == GetParam()) ::kill(::getpid(), SIGKILL);
        };
        auto agent = ProcessDriver::open(options).value();
        armed = true;
        (void)agent->clean(task.attempt_id);
    }));

    driver_ = under_test_.open_process_driver();
    ASSERT_TRUE(driver_->clean(task.attempt_id));

    EXPECT_EQ(under_test_.remains(task.attempt_id), std::vector<std::string>());
}

INSTANTIATE_TEST_SUITE_P(
    Steps, KilledInClean, testing::Values("tree ended", "cgroup removed", "run directory renamed"),
    [](const auto& info) {
        std::string name = info.param;
        std::ranges::replace(name, ' ', '_');
        return name;
    }
);

TEST_F(ProcessDriverTest, WithoutCgroupKillAForkingTreeIsEndedByTheFreezer) {
    CgroupLayout layout = read_cgroup_layout();
    std::erase_if(layout.places, [](const CgroupPlace& place) {
        return place.version == CgroupVersion::v2;
    });
    const Cgroup group = CgroupParents::open(layout, under_test_.options.cgroup_name)
                             .group(fmt::format("freezer-{}", ::getpid()));
    if (!group.has("freezer") || !group.has("pids"))
        GTEST_SKIP() << "no v1 freezer and pids that we may use";
    ASSERT_TRUE(group.create());
    ASSERT_TRUE(group.limit({.pids = 200}));
    const pid_t child = ::fork();
    if (child == 0) {
        for (const std::string& file : group.join_files()) (void)write_control(file, "0");
        ::execl(
            "/bin/bash", "bash", "-c",
            "bomb() { setsid bash -c : & bomb & }; while :; do bomb; done 2> /dev/null", nullptr
        );
        ::_exit(1);
    }
    ASSERT_TRUE(eventually([&] { return group.processes().size() > 20; }));

    const Result<void> killed = group.kill(kStopMarginMax);
    ::waitpid(child, nullptr, 0);

    EXPECT_TRUE(killed) << to_string(killed.error());
    EXPECT_TRUE(group.processes().empty());
    const Result<void> removed = group.remove();
    EXPECT_TRUE(removed) << to_string(removed.error());
}

TEST_F(ProcessDriverTest, WhatAnAgentThatDiedInOpenLeftIsSwept) {
    const LaunchSpec left{.attempt_id = "probe-999999999-0", .script = "sleep 600"};
    started(left);

    driver_ = under_test_.open_process_driver();

    EXPECT_EQ(under_test_.remains(left.attempt_id), std::vector<std::string>());
    EXPECT_TRUE(driver_->adopt()->empty());
}

TEST_F(ProcessDriverTest, AFullLogIsCutWithARemarkAndTheTaskGoesOn) {
    under_test_.options.log_bytes_max = 20'000;
    driver_ = under_test_.open_process_driver();
    const LaunchSpec task = spec("seq 100000; echo end > finished");

    const Status end = run(task);

    EXPECT_EQ(end.exit_code, 0);
    EXPECT_TRUE(exists(driver_->prepare(task)->work_dir + "/finished"));
    const std::string text = log(task);
    EXPECT_LT(text.size(), 20'000U);
    EXPECT_NE(
        text.find("log truncated: it has reached its limit of 20000 bytes"), std::string::npos
    );
    EXPECT_NE(text.find("bytes were not kept"), std::string::npos);
}

TEST_F(ProcessDriverTest, ATextWithoutLineEndIsShownWhileItWaits) {
    const LaunchSpec task =
        spec("printf 'name? '; until [ -e go ]; do sleep 0.02; done; echo answered");
    started(task);

    ASSERT_TRUE(eventually([&] { return log(task) == "name? "; }));
    ASSERT_EQ(::system(("touch " + driver_->prepare(task)->work_dir + "/go").c_str()), 0);
    driver_->wait(task.attempt_id, kTestTimeMax).value();

    EXPECT_EQ(log(task), "name? answered\n");
}

TEST_F(ProcessDriverTest, AHostThatCannotMakeASandboxIsToldAtOnce) {
    ProcessDriverOptions options = under_test_.options;
    options.bwrap = "/usr/bin/false";

    const auto driver = ProcessDriver::open(options);

    ASSERT_FALSE(driver);
    EXPECT_EQ(driver.error().code, ErrorCode::unavailable);
    EXPECT_NE(driver.error().message.find("cannot make a sandbox"), std::string::npos);
}

TEST_F(ProcessDriverTest, ASupervisorThatCannotRunIsAnErrorOfStart) {
    ProcessDriverOptions options = under_test_.options;
    options.supervisor = {"/usr/bin/false"};

    const auto driver = ProcessDriver::open(options);

    ASSERT_FALSE(driver);
    EXPECT_EQ(driver.error().code, ErrorCode::unavailable);
}

}  // namespace
}  // namespace penstock::drivers
