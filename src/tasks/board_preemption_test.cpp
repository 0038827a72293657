// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tasks/board.h"
#include "tasks/state.h"

namespace penstock::tasks {
namespace {

// A preemptible task that runs, and the one it gives way to.
struct Preemption : testing::Test {
    SeededRandom random{1};
    IdSource ids{random};
    Board board;
    Changes changes;
    Time now = *parse_rfc3339("2026-11-24T00:00:00Z");
    TaskId urgent = ids.next<TaskId>(now);
    TaskId task;
    AttemptId attempt;

    void SetUp() override {
        TaskSpec spec;
        spec.run = "true";
        spec.preemptible = true;
        spec.checkpoint = CheckpointSpec{};
        Task made{.id = ids.next<TaskId>(now), .name = "low", .spec = spec, .created_at = now};
        task = made.id;
        ASSERT_TRUE(board.create(std::move(made), changes));
        start();
    }
    void start() {
        Attempt made{.id = ids.next<AttemptId>(now)};
        attempt = board.begin_attempt(task, 0, std::move(made), now, changes).id;
        ASSERT_TRUE(report(TaskState::running));
        changes = {};
    }
    Result<void> report(
        TaskState state, TaskReason reason = TaskReason::none,
        std::optional<Checkpoint> checkpoint = {}
    ) {
        now += 1s;
        return board.report(
            {.attempt_id = attempt,
             .fence = board.find_attempt(attempt)->fence,
             .state = state,
             .reason = reason,
             .at = now,
             .checkpoint = std::move(checkpoint)},
            now, changes
        );
    }
    const TaskItem& item() const { return board.items(task)->front(); }
};

TEST_F(Preemption, GivesNoticeOnceAndAsksForACheckpoint) {
    board.give_way(attempt, urgent, 0, now, changes);
    board.give_way(attempt, urgent, 0, now, changes);

    ASSERT_EQ(changes.stops.size(), 1U);
    EXPECT_TRUE(changes.stops[0].stop.checkpoint_first);
    EXPECT_EQ(changes.stops[0].stop.reason, TaskReason::preempted);
    ASSERT_EQ(changes.events.size(), 1U);
    EXPECT_EQ(changes.events[0].type, "preemption_notice");
    EXPECT_EQ(board.find_attempt(attempt)->notice->for_task, urgent);
    EXPECT_EQ(board.find(task)->state, TaskState::running);
}

TEST_F(Preemption, TheItemWaitsAgainFromItsNewestCheckpoint) {
    board.give_way(attempt, urgent, 0, now, changes);
    const Checkpoint kept{.sha256 = "c0ffee", .bytes = 1, .at = now};
    ASSERT_TRUE(report(TaskState::running, TaskReason::none, kept));
    ASSERT_TRUE(report(TaskState::canceled, TaskReason::preempted));

    EXPECT_EQ(board.find(task)->state, TaskState::recovering);
    EXPECT_EQ(board.waiting(now).size(), 1U);
    start();
    EXPECT_EQ(board.find_attempt(attempt)->restored_from, kept);
}

TEST_F(Preemption, EndsNobodyHoweverOftenItHappens) {
    for (std::int64_t i = 0; i < 2 * kRecoveriesMax; ++i) {
        board.give_way(attempt, urgent, 0, now, changes);
        ASSERT_TRUE(report(TaskState::canceled, TaskReason::preempted));
        start();
    }

    EXPECT_EQ(item().preemptions, 2 * kRecoveriesMax);
    EXPECT_EQ(item().recoveries + item().failures, 0);
    EXPECT_EQ(board.find(task)->state, TaskState::running);
}

TEST_F(Preemption, ATimeSharedTaskWaitsAgainWhenItsRoundIsOver) {
    board.end_round(attempt, urgent, now, changes);

    ASSERT_EQ(changes.stops.size(), 1U);
    EXPECT_EQ(changes.stops[0].stop.reason, TaskReason::time_shared);
    EXPECT_TRUE(changes.stops[0].stop.checkpoint_first);
    ASSERT_TRUE(report(TaskState::canceled, TaskReason::time_shared));
    EXPECT_EQ(item().preemptions, 1);
    EXPECT_EQ(item().recoveries + item().failures, 0);
    EXPECT_EQ(board.find(task)->state, TaskState::recovering);
}

TEST_F(Preemption, WhatSucceedsBeforeItHasToLeaveHasSucceeded) {
    board.give_way(attempt, urgent, 0, now, changes);
    ASSERT_TRUE(report(TaskState::succeeded));

    EXPECT_EQ(board.find(task)->state, TaskState::succeeded);
}

TEST_F(Preemption, AUserWhoCancelsMeanwhileIsObeyed) {
    board.give_way(attempt, urgent, 0, now, changes);
    ASSERT_TRUE(board.cancel(task, TaskReason::canceled_by_user, "user/a", "", now, changes));
    ASSERT_TRUE(report(TaskState::canceled, TaskReason::preempted));

    EXPECT_EQ(board.find(task)->state, TaskState::canceled);
}

}  // namespace
}  // namespace penstock::tasks
