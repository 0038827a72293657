// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "drivers/driver_conformance.h"

// Metering and limits: the part of the suite that breaks each limit on purpose.
namespace penstock::drivers {
namespace {

constexpr std::int64_t kMib = std::int64_t{1} << 20;

}  // namespace

TEST_P(DriverConformance, MetersCpuTimeWhileItRunsAndAfterwards) {
    const LaunchSpec task = spec(
        "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; echo spun; until [ -e go ]; do sleep "
        "0.02; done"
    );
    started(task);
    ASSERT_TRUE(wait_for_log(task, "spun"));
    const Result<Reading> during = driver_->meter(task.attempt_id);
    ASSERT_EQ(::system(("touch " + driver_->prepare(task)->work_dir + "/go").c_str()), 0);
    driver_->wait(task.attempt_id, kTestTimeMax).value();

    const Result<Reading> after = driver_->meter(task.attempt_id);

    ASSERT_TRUE(during && after);
    EXPECT_GT(during->cpu_time, 50ms);
    EXPECT_GE(after->cpu_time, during->cpu_time);
    EXPECT_EQ(after->epoch, during->epoch);
    EXPECT_LT(after->first, after->last);
    EXPECT_EQ(after->last, driver_->status(task.attempt_id)->ended_at);
    EXPECT_GT(after->memory_peak_bytes.value_or(0), 0);
}

TEST_P(DriverConformance, ALimitThatCannotBeKeptFailsInPrepareUnlessItIsNotDemanded) {
    if (enforces("cpu") && enforces("memory") && enforces("pids"))
        GTEST_SKIP() << "this engine keeps every limit";
    LaunchSpec task = spec("exit 0");
    task.limits = {.cpu_milli = 500, .memory_bytes = 512 * kMib, .pids = 50};

    const Result<Prepared> demanded = driver_->prepare(task);
    task.demand_enforcement = false;
    const Result<Prepared> recorded = driver_->prepare(task);

    ASSERT_FALSE(demanded);
    EXPECT_EQ(demanded.error().field, "limits");
    EXPECT_TRUE(recorded);
}

TEST_P(DriverConformance, TheCpuLimitHolds) {
    if (!enforces("cpu")) GTEST_SKIP() << "no cpu limit here";
    LaunchSpec task = spec("timeout 1.5 bash -c 'while :; do :; done'; true");
    task.limits.cpu_milli = 300;

    const Status end = run(task);
    const Result<Reading> reading = driver_->meter(task.attempt_id);

    ASSERT_TRUE(reading);
    const double seconds = to_seconds(*end.ended_at - *end.running_at);
    EXPECT_LT(to_seconds(reading->cpu_time) / seconds, 0.40)
        << to_seconds(reading->cpu_time) << " in " << seconds;
    // On a machine with no time to spare the task may not even get its share: nothing to throttle
    // then.
    const bool had_its_share = to_seconds(reading->cpu_time) / seconds > 0.28;
    EXPECT_TRUE(!had_its_share || reading->throttled_time.value_or(0s) > 100ms);
}

TEST_P(DriverConformance, TheMemoryLimitHoldsAndIsToldFromAKill) {
    if (!enforces("memory")) GTEST_SKIP() << "no memory limit here";
    LaunchSpec task = spec("head -c 200M /dev/zero | tail > /dev/null; exit ${PIPESTATUS[1]}");
    task.limits.memory_bytes = 64 * kMib;

    const Status end = run(task);
    const Result<Reading> reading = driver_->meter(task.attempt_id);

    EXPECT_EQ(shown(end), "exited out_of_memory code=137 signal=9 oom=true");
    EXPECT_LE(reading->memory_peak_bytes.value_or(0), 64 * kMib);
    EXPECT_GT(reading->memory_peak_bytes.value_or(0), 50 * kMib);
}

TEST_P(DriverConformance, MemoryBelowTheLimitIsGiven) {
    if (!enforces("memory")) GTEST_SKIP() << "no memory limit here";
    LaunchSpec task = spec("head -c 30M /dev/zero | tail > /dev/null; exit ${PIPESTATUS[1]}");
    task.limits.memory_bytes = 128 * kMib;

    EXPECT_EQ(shown(run(task)), "exited exited code=0 signal=none oom=false");
}

TEST_P(DriverConformance, TheProcessLimitStopsAForkBomb) {
    if (!enforces("pids") && !enforces("pids.rlimit")) GTEST_SKIP() << "no process limit here";
    LaunchSpec task = spec("bomb() { bomb | bomb & }; bomb; sleep 60; echo unreached");
    task.limits.pids = 24;
    task.demand_enforcement = enforces("pids");
    started(task);

    const bool refused = wait_for_log(task, "Resource temporarily unavailable");
    const Result<void> stopped = driver_->stop(task.attempt_id, 0s);

    EXPECT_TRUE(refused);
    EXPECT_TRUE(stopped) << to_string(stopped.error());
    EXPECT_EQ(log(task).find("unreached"), std::string::npos);
}

TEST_P(DriverConformance, ExactlyThePromisedProcessesFit) {
    if (!enforces("pids")) GTEST_SKIP() << "no exact process limit here";
    // The script's shell and 15 more make 16; the shell gives up on the next after some tries.
    LaunchSpec task =
        spec("for i in $(seq 15); do sleep 60 & done; echo all-fit; sleep 60 & echo unreached");
    task.limits.pids = 16;
    started(task);

    const bool fit = wait_for_log(task, "all-fit");
    const bool refused = wait_for_log(task, "Resource temporarily unavailable");

    EXPECT_TRUE(fit);
    EXPECT_TRUE(refused);
}

TEST_P(DriverConformance, TheMemoryLimitOfOneProcessHolds) {
    if (!enforces("memory.per_process")) GTEST_SKIP() << "the whole run has a memory limit";
    LaunchSpec task = spec("head -c 200M /dev/zero | tail > /dev/null; exit ${PIPESTATUS[1]}");
    task.limits.memory_bytes = 64 * kMib;
    task.demand_enforcement = false;

    EXPECT_EQ(shown(run(task)), "exited exited code=1 signal=none oom=false");
    EXPECT_NE(log(task).find("memory exhausted"), std::string::npos);
}

}  // namespace penstock::drivers
