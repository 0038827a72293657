// SPDX-License-Identifier: Apache-2.0
#include "agent/attempt_machine.h"

#include <gtest/gtest.h>

#include <csignal>

#include "json/json.h"

namespace penstock::agent {
namespace {

const Time kStart = parse_rfc3339("2026-11-24T10:00:00Z").value();

StartAttempt batch() {
    StartAttempt start;
    start.attempt_id = AttemptId(RawId{1, 1});
    start.task_id = TaskId(RawId{1, 2});
    start.fence = 3;
    start.run = "true";
    start.request.memory_mib = 64;
    return start;
}
StartAttempt service() {
    StartAttempt start = batch();
    start.service.emplace();
    return start;
}

std::string text(const AttemptReport& report) {
    std::string out = std::string(1, "?"[0]);
    switch (report.state) {
        case TaskState::staging:
            out = "STAGING";
            break;
        case TaskState::running:
            out = "RUNNING";
            break;
        case TaskState::collecting:
            out = "COLLECTING";
            break;
        case TaskState::succeeded:
            out = "SUCCEEDED";
            break;
        case TaskState::failed:
            out = "FAILED";
            break;
        case TaskState::canceled:
            out = "CANCELED";
            break;
        case TaskState::pending:
        case TaskState::matching:
        case TaskState::reserved:
        case TaskState::paused:
        case TaskState::recovering:
        case TaskState::canceling:
        case TaskState::expired:
            break;
    }
    if (report.reason != TaskReason::none)
        out += " reason=" + std::to_string(static_cast<int>(report.reason));
    if (report.fault_domain == FaultDomain::user) out += " user";
    if (report.fault_domain == FaultDomain::provider) out += " provider";
    if (report.fault_domain == FaultDomain::platform) out += " platform";
    if (report.exit_code) out += " exit=" + std::to_string(*report.exit_code);
    if (report.meter) out += " ms=" + std::to_string(report.meter->running_ms);
    if (report.checkpoint) out += " ckpt=" + report.checkpoint->sha256;
    if (report.service_url) out += " at=" + *report.service_url;
    return out;
}
std::string reason(TaskReason reason) {
    return " reason=" + std::to_string(static_cast<int>(reason));
}

// Applies events one second apart and keeps what was reported.
class Life {
  public:
    explicit Life(const StartAttempt& start) {
        Accepted accepted = accept(start, now);
        record = accepted.record;
        add(accepted.reports);
    }
    Life& then(const Event& event) {
        now += 1s;
        add(apply(record, event, now));
        return *this;
    }
    Life& to_running() {
        return then(Staged{}).then(Started{{"boot", 1000}}).then(Running{{"boot", 2000}, now});
    }
    AttemptRecord record;
    std::string reports;
    std::string message;
    Time now = kStart;

  private:
    void add(const Reports& more) {
        for (const AttemptReport& report : more) {
            reports += text(report) + "\n";
            message = report.message;
        }
    }
};

Ended exit_with(std::int64_t code) {
    return Ended{
        .cause = EndCause::exited, .exit_code = code, .last_lines = "bye", .meter = {5000, 100, 7}
    };
}
Ended stopped_with(std::int64_t code) {
    Ended ended = exit_with(code);
    ended.cause = EndCause::stopped;
    return ended;
}
StopRequested stop_for(TaskReason why, Duration grace = 5s) {
    return {{AttemptId(RawId{1, 1}), 3, why, grace, false}};
}

TEST(AttemptMachine, RunsAndSucceeds) {
    Life life(batch());

    life.to_running().then(exit_with(0)).then(Collected{});

    EXPECT_EQ(
        life.reports, "STAGING\nRUNNING\nCOLLECTING exit=0 ms=5000\nSUCCEEDED exit=0 ms=5000\n"
    );
    EXPECT_EQ(next_step(life.record), Step::release);
}

TEST(AttemptMachine, BlamesTheUserForAnExitCode) {
    Life life(batch());

    life.to_running().then(exit_with(3)).then(Collected{});

    EXPECT_EQ(
        life.reports, "STAGING\nRUNNING\nCOLLECTING exit=3 ms=5000\nFAILED" +
                          reason(TaskReason::exit_code) + " user exit=3 ms=5000\n"
    );
    EXPECT_EQ(life.message, "exit code 3; last lines:\nbye");
}

TEST(AttemptMachine, AcceptsTheExitCodeThatIsExpected) {
    StartAttempt start = batch();
    start.acceptance.emplace().expect_exit = 3;
    Life life(start);

    life.to_running().then(exit_with(3)).then(Collected{});

    EXPECT_EQ(
        life.reports, "STAGING\nRUNNING\nCOLLECTING exit=3 ms=5000\nSUCCEEDED exit=3 ms=5000\n"
    );
}

TEST(AttemptMachine, EndsWithoutMeterWhenStoppedWhileStaging) {
    Life life(batch());

    life.then(stop_for(TaskReason::canceled_by_user)).then(Staged{});

    EXPECT_EQ(life.reports, "STAGING\nCANCELED" + reason(TaskReason::canceled_by_user) + " ms=0\n");
    EXPECT_EQ(next_step(life.record), Step::release);
}

TEST(AttemptMachine, StopsTheProcessBeforeItCancels) {
    Life life(batch());

    life.to_running().then(stop_for(TaskReason::budget_exceeded));
    EXPECT_EQ(next_step(life.record), Step::stop);
    life.then(stopped_with(0)).then(Collected{});

    EXPECT_EQ(
        life.reports, "STAGING\nRUNNING\nCOLLECTING exit=0 ms=5000\nCANCELED" +
                          reason(TaskReason::budget_exceeded) + " exit=0 ms=5000\n"
    );
}

TEST(AttemptMachine, CountsWhatEndedBeforeTheStopReachedIt) {
    Life life(batch());

    life.to_running()
        .then(stop_for(TaskReason::canceled_by_user))
        .then(exit_with(0))
        .then(Collected{});

    EXPECT_EQ(
        life.reports, "STAGING\nRUNNING\nCOLLECTING exit=0 ms=5000\nSUCCEEDED exit=0 ms=5000\n"
    );
}

TEST(AttemptMachine, ShortensTheGraceOfAStopThatComesAgain) {
    Life life(batch());

    life.to_running()
        .then(stop_for(TaskReason::budget_exceeded, 60s))
        .then(stop_for(TaskReason::canceled_by_user, 1s));

    EXPECT_EQ(life.record.stop->grace, 1s);
    EXPECT_EQ(life.record.stop->reason, TaskReason::budget_exceeded);
}

TEST(AttemptMachine, FailsAtItsTimeLimit) {
    StartAttempt start = batch();
    start.time_limit = 5s;
    Life life(start);

    life.to_running();
    EXPECT_EQ(time_limit_at_ms(life.record), 7000);
    life.then(TimeLimitReached{}).then(stopped_with(143)).then(Collected{});

    EXPECT_EQ(
        life.reports, "STAGING\nRUNNING\nCOLLECTING exit=143 ms=5000\nFAILED" +
                          reason(TaskReason::time_limit) + " user exit=143 ms=5000\n"
    );
}

TEST(AttemptMachine, MetersAServiceFromItsReadiness) {
    Life life(service());

    life.then(Staged{}).then(Started{{"boot", 1000}}).then(ProcessUp{});
    EXPECT_EQ(next_step(life.record), Step::probe);
    life.then(Running{{"boot", 9000}, life.now, "http://127.0.0.1:7"});

    EXPECT_EQ(life.reports, "STAGING\nRUNNING at=http://127.0.0.1:7\n");
    EXPECT_EQ(life.record.running_since->ms, 9000);
}

TEST(AttemptMachine, StopsAServiceThatIsNeverReady) {
    Life life(service());

    life.then(Staged{})
        .then(Started{{"boot", 1000}})
        .then(ProcessUp{})
        .then(GaveUp{TaskReason::not_ready, "no answer"});
    EXPECT_EQ(next_step(life.record), Step::stop);
    life.then(stopped_with(143));

    EXPECT_EQ(
        life.reports, "STAGING\nFAILED" + reason(TaskReason::not_ready) + " user exit=143 ms=0\n"
    );
    EXPECT_EQ(life.message, "no answer; last lines:\nbye");
}

TEST(AttemptMachine, SaysWhyAServiceEndedBeforeItWasReady) {
    Life life(service());

    life.then(Staged{}).then(Started{{"boot", 1000}}).then(ProcessUp{}).then(exit_with(1));

    EXPECT_EQ(
        life.reports, "STAGING\nFAILED" + reason(TaskReason::not_ready) + " user exit=1 ms=0\n"
    );
    EXPECT_EQ(life.message, "the service ended before it was ready: exit code 1; last lines:\nbye");
}

TEST(AttemptMachine, BlamesTheProviderForAVanishedProcess) {
    Life life(batch());

    life.to_running()
        .then(Ended{.cause = EndCause::vanished, .meter = {2000, 0, 0}})
        .then(Collected{});

    EXPECT_EQ(
        life.reports, "STAGING\nRUNNING\nCOLLECTING ms=2000\nFAILED" +
                          reason(TaskReason::node_lost) + " provider ms=2000\n"
    );
}

TEST(AttemptMachine, BlamesTheProviderForAKillFromOutside) {
    Life life(batch());

    life.to_running()
        .then(Ended{.cause = EndCause::signal, .exit_code = 137, .signal = SIGKILL})
        .then(Collected{});

    EXPECT_EQ(life.record.verdict->fault_domain, FaultDomain::provider);
}

TEST(AttemptMachine, BlamesTheUserForACrashAndForMemory) {
    Life crash(batch());
    Life memory(batch());

    crash.to_running().then(Ended{.cause = EndCause::signal, .signal = SIGSEGV}).then(Collected{});
    memory.to_running()
        .then(Ended{.cause = EndCause::out_of_memory, .exit_code = 137})
        .then(Collected{});

    EXPECT_EQ(crash.record.verdict->fault_domain, FaultDomain::user);
    EXPECT_EQ(memory.record.verdict->fault_domain, FaultDomain::user);
    EXPECT_EQ(memory.message, "went over its memory limit of 64 MiB; raise resources.memory");
}

TEST(AttemptMachine, FailsWhenARequiredOutputIsMissing) {
    Life life(batch());

    life.to_running().then(exit_with(0)).then(Collected{.missing = "out/*.png matched nothing"});

    EXPECT_EQ(life.record.verdict->reason, TaskReason::output_missing);
    EXPECT_EQ(life.message, "out/*.png matched nothing");
}

TEST(AttemptMachine, ReportsACheckpointOnce) {
    Life life(batch());
    const Checkpoint checkpoint{"abc", 10, kStart, 1500};

    life.to_running().then(CheckpointStored{checkpoint}).then(CheckpointStored{checkpoint});

    EXPECT_EQ(life.reports, "STAGING\nRUNNING\nRUNNING ms=0 ckpt=abc\n");
}

TEST(AttemptMachine, KeepsOnlyTheNewestCheckpointReportInItsOutbox) {
    Life life(batch());
    AttemptReport report;
    report.state = TaskState::running;
    report.checkpoint = Checkpoint{};

    report.seq = 4;
    EXPECT_EQ(enqueue(life.record, report), std::nullopt);
    report.seq = 9;
    EXPECT_EQ(enqueue(life.record, report), 4);

    EXPECT_EQ(life.record.reports.size(), 1U);
    EXPECT_FALSE(acknowledge(life.record, 8));
    EXPECT_TRUE(acknowledge(life.record, 9));
}

TEST(AttemptMachine, SettlesAStopOfWhatItNeverHad) {
    const Accepted accepted =
        never_started({AttemptId(RawId{1, 1}), 3, TaskReason::canceled_by_user, 0s, false}, kStart);

    EXPECT_EQ(
        text(accepted.reports.at(0)), "CANCELED" + reason(TaskReason::canceled_by_user) + " ms=0"
    );
    EXPECT_EQ(next_step(accepted.record), Step::release);
}

TEST(AttemptMachine, ForgetsTheEnvironmentWhenReleased) {
    StartAttempt start = batch();
    start.environment = {{"TOKEN", "secret"}};
    Life life(start);

    life.then(stop_for(TaskReason::canceled_by_user)).then(Released{});

    EXPECT_TRUE(life.record.start->environment.empty());
    EXPECT_EQ(next_step(life.record), Step::nothing);
}

TEST(AttemptMachine, NeverMetersBeyondTheBootClockNorBelowTheLastReading) {
    Life life(batch());
    life.to_running().then(Metering{{4000, 0, 0}});
    const Time started = *life.record.running_at;

    EXPECT_EQ(running_ms_at_end(life.record, started + 6s, {"boot", 12'000}), 6000);
    EXPECT_EQ(running_ms_at_end(life.record, started + 1h, {"boot", 12'000}), 10'000);
    EXPECT_EQ(running_ms_at_end(life.record, started - 1h, {"boot", 12'000}), 4000);
    EXPECT_EQ(running_ms_at_end(life.record, started + 6s, {"other boot", 12'000}), 4000);
    EXPECT_EQ(running_ms_at_end(life.record, std::nullopt, {"boot", 12'000}), 4000);

    life.record.checkpoint = Checkpoint{.running_ms = 6010};
    EXPECT_EQ(running_ms_at_end(life.record, started + 6s, {"boot", 12'000}), 6010)
        << "it ran for what its checkpoint keeps";
}

TEST(AttemptMachine, GoesOnFromAFile) {
    Life life(service());
    life.then(Staged{}).then(Started{{"boot", 1000}}).then(ProcessUp{});

    const Result<AttemptRecord> read = json::parse<AttemptRecord>(json::print(life.record));

    ASSERT_TRUE(read.has_value());
    EXPECT_EQ(*read, life.record);
    EXPECT_EQ(next_step(*read), Step::probe);
}

TEST(AttemptMachine, AMemberOfAGangSaysOnceThatItIsReadyAndKeepsTheGoAhead) {
    StartAttempt start = batch();
    start.gang = GangSeat{.rank = 1, .members = 2};
    AttemptRecord record = accept(start, kStart).record;
    EXPECT_TRUE(apply(record, Ready{}, kStart).empty()) << "nothing is set up yet";
    apply(record, Staged{"/w"}, kStart);
    apply(record, Started{}, kStart);

    const Reports told = apply(record, Ready{}, kStart);
    const Reports again = apply(record, Ready{}, kStart);
    apply(record, GoReceived{}, kStart);

    ASSERT_EQ(told.size(), 1U);
    EXPECT_EQ(told.front().state, TaskState::staging);
    EXPECT_EQ(told.front().ready, true);
    EXPECT_TRUE(again.empty());
    EXPECT_TRUE(record.go);
    EXPECT_EQ(next_step(record), Step::await_run);
}

TEST(AttemptMachine, OnlyTheHeadOfAGangStoresCheckpoints) {
    StartAttempt start = batch();
    start.checkpoint.emplace();
    EXPECT_TRUE(stores_checkpoints(start));
    start.gang = GangSeat{.rank = 0, .members = 2};
    EXPECT_TRUE(stores_checkpoints(start));
    start.gang->rank = 1;
    EXPECT_FALSE(stores_checkpoints(start));
}

}  // namespace
}  // namespace penstock::agent
