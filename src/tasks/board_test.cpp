// SPDX-License-Identifier: Apache-2.0
#include "tasks/board.h"

#include <gtest/gtest.h>

#include "tasks/state.h"

namespace penstock::tasks {
namespace {

const Time kStart = *parse_rfc3339("2026-11-24T00:00:00Z");

struct BoardFixture {
    SeededRandom random{1};
    IdSource ids{random};
    Board board;
    Changes changes;
    Time now = kStart;
    ProjectId project = ids.next<ProjectId>(kStart);
    NodeId node = ids.next<NodeId>(kStart);

    TaskId create(TaskSpec spec, std::string name = "job") {
        Task task;
        task.id = ids.next<TaskId>(now);
        task.project_id = project;
        task.name = std::move(name);
        task.kind = spec.kind;
        task.spec = std::move(spec);
        task.created_at = now;
        EXPECT_TRUE(board.create(task, changes));
        return task.id;
    }
    AttemptId place(TaskId id, std::int64_t item = 0) {
        Attempt attempt;
        attempt.id = ids.next<AttemptId>(now);
        attempt.placement.node_id = node;
        attempt.placement.node = "n1";
        return board.begin_attempt(id, item, attempt, now, changes).id;
    }
    Result<void> report(
        AttemptId id, TaskState state, TaskReason reason = TaskReason::none,
        std::optional<FaultDomain> fault = {}
    ) {
        now += 1s;
        return board.report(
            {.attempt_id = id,
             .fence = board.find_attempt(id)->fence,
             .state = state,
             .reason = reason,
             .fault_domain = fault,
             .at = now},
            now, changes
        );
    }
    std::string state(TaskId id) { return name_of(board.find(id)->state); }
    std::string states() {
        std::string all;
        for (const Event& event : changes.events)
            if (event.type == "state_changed") all += event.state + " ";
        return all;
    }
};

TEST(Board, WalksThroughTheStatesOfASuccess) {
    BoardFixture f;
    const TaskId id = f.create({.run = "true"});
    const AttemptId attempt = f.place(id);

    for (const TaskState state :
         {TaskState::staging, TaskState::running, TaskState::collecting, TaskState::succeeded})
        ASSERT_TRUE(f.report(attempt, state));

    EXPECT_EQ(f.states(), "RESERVED STAGING RUNNING COLLECTING SUCCEEDED ");
    EXPECT_EQ(f.changes.ended, std::vector{attempt});
    EXPECT_TRUE(f.board.active_attempts().empty());
}

TEST(Board, RefusesAReportOfAnOldFence) {
    BoardFixture f;
    const TaskId id = f.create({.run = "true"});
    const AttemptId first = f.place(id);
    f.board.node_lost(f.node, f.now, f.now, f.changes);
    const AttemptId second = f.place(id);

    const Result<void> late = f.report(first, TaskState::succeeded);

    EXPECT_EQ(late.error().code, ErrorCode::conflict);
    EXPECT_EQ(f.board.find_attempt(second)->fence, 2);
    EXPECT_EQ(f.state(id), "RESERVED");
}

TEST(Board, ALostNodeMakesTheTaskRecoverWithItsCheckpoint) {
    BoardFixture f;
    const TaskId id = f.create({.run = "true", .checkpoint = CheckpointSpec{}});
    const AttemptId first = f.place(id);
    ASSERT_TRUE(f.report(first, TaskState::running));
    ASSERT_TRUE(f.board.report(
        {.attempt_id = first,
         .state = TaskState::running,
         .at = f.now,
         .checkpoint = Checkpoint{.sha256 = "abc", .bytes = 3}},
        f.now, f.changes
    ));

    f.board.node_lost(f.node, f.now, f.now + 10s, f.changes);

    EXPECT_EQ(f.state(id), "RECOVERING");
    EXPECT_EQ(f.board.find(id)->recoveries, 1);
    EXPECT_EQ(f.board.failed_nodes(id, 0), std::vector{f.node});
    const AttemptId second = f.place(id);
    EXPECT_EQ(f.board.find_attempt(second)->restored_from->sha256, "abc");
}

TEST(Board, AnEventTellsWhatHappenedThenAndNotWhatWasSaidBefore) {
    BoardFixture f;
    const TaskId id = f.create({});
    const AttemptId lost = f.place(id);
    EXPECT_TRUE(f.report(lost, TaskState::running));
    f.board.node_lost(f.node, f.now, f.now, f.changes);
    const AttemptId next = f.place(id);
    EXPECT_TRUE(f.report(next, TaskState::staging));
    EXPECT_TRUE(f.report(next, TaskState::running));

    std::string told;
    for (const Event& event : f.changes.events)
        if (event.type == "state_changed") told += event.state + ": " + event.message + "\n";
    EXPECT_EQ(
        told,
        "RESERVED: \nRUNNING: \nRECOVERING: node n1 was lost\nRESERVED: \nSTAGING: \nRUNNING: \n"
    );
}

TEST(Board, AFailureOfTheUserIsNotRetriedUnlessAsked) {
    BoardFixture f;
    const TaskId id = f.create({.run = "false"});
    ASSERT_TRUE(f.report(f.place(id), TaskState::failed, TaskReason::exit_code, FaultDomain::user));
    EXPECT_EQ(f.state(id), "FAILED");
    EXPECT_EQ(f.board.find(id)->reason, TaskReason::exit_code);

    ASSERT_TRUE(f.board.retry(id, "user/ann", f.now, f.changes));

    EXPECT_EQ(f.state(id), "PENDING");
    EXPECT_EQ(f.board.waiting(f.now).size(), 1U);
}

TEST(Board, AServiceThatDiesIsStartedAgain) {
    BoardFixture f;
    const TaskId id =
        f.create({.kind = TaskKind::Service, .run = "serve", .service = ServiceSpec{}});
    const AttemptId attempt = f.place(id);
    ASSERT_TRUE(f.report(attempt, TaskState::running));

    ASSERT_TRUE(
        f.report(attempt, TaskState::failed, TaskReason::killed_by_signal, FaultDomain::user)
    );

    EXPECT_EQ(f.state(id), "RECOVERING");
    EXPECT_EQ(f.board.waiting(f.now).size(), 1U);
}

TEST(Board, AServiceThatKeepsDyingIsStartedAgainLaterAndLater) {
    BoardFixture f;
    const TaskId id =
        f.create({.kind = TaskKind::Service, .run = "serve", .service = ServiceSpec{}});
    for (const Duration pause : {0s, 1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s}) {
        ASSERT_TRUE(
            f.report(f.place(id), TaskState::failed, TaskReason::not_ready, FaultDomain::user)
        );
        if (pause > 0s) EXPECT_EQ(f.board.waiting(f.now + pause - 1us).size(), 0U);
        f.now += pause;
        EXPECT_EQ(f.board.waiting(f.now).size(), 1U);
    }
}

TEST(Board, ARetryThatIsAskedForDoesNotWait) {
    BoardFixture f;
    const TaskId id = f.create(
        {.run = "x", .array = ArraySpec{.params = {{"Frame", "1-1:1"}}, .retry = {.per_item = 1}}}
    );
    for (int i = 0; i < 2; ++i)
        ASSERT_TRUE(
            f.report(f.place(id), TaskState::failed, TaskReason::exit_code, FaultDomain::user)
        );
    EXPECT_EQ(f.state(id), "FAILED");

    ASSERT_TRUE(f.board.retry(id, "user/ann", f.now, f.changes));

    EXPECT_EQ(f.board.waiting(f.now).size(), 1U);
}

TEST(Board, AnArrayRetriesOnlyWhatFailed) {
    BoardFixture f;
    const TaskId id =
        f.create({.run = "x", .array = ArraySpec{.params = {{"Frame", "1-4:1"}}, .chunk = 2}});
    ASSERT_TRUE(f.report(f.place(id, 0), TaskState::succeeded));
    ASSERT_TRUE(
        f.report(f.place(id, 1), TaskState::failed, TaskReason::exit_code, FaultDomain::user)
    );
    EXPECT_EQ(f.state(id), "FAILED");
    EXPECT_EQ(f.board.find(id)->reason, TaskReason::item_failed);

    ASSERT_TRUE(f.board.retry(id, "user/ann", f.now, f.changes));

    const std::vector<Waiting> waiting = f.board.waiting(f.now);
    ASSERT_EQ(waiting.size(), 1U);
    EXPECT_EQ(waiting[0].item, 1);
}

TEST(Board, MaxParallelBoundsWhatMayStart) {
    BoardFixture f;
    const TaskId id =
        f.create({.run = "x", .array = ArraySpec{.params = {{"Frame", "1-9:1"}}, .max_parallel = 3}}
        );
    EXPECT_EQ(f.board.waiting(f.now).size(), 3U);
    (void)f.place(id, 0);
    EXPECT_EQ(f.board.waiting(f.now).size(), 2U);
}

TEST(Board, CancelingEndsWhenTheLastAttemptEnded) {
    BoardFixture f;
    const TaskId id = f.create({.run = "sleep 9"});
    const AttemptId attempt = f.place(id);

    ASSERT_TRUE(f.board.cancel(id, TaskReason::canceled_by_user, "user/ann", "", f.now, f.changes));
    EXPECT_EQ(f.state(id), "CANCELING");
    ASSERT_EQ(f.changes.stops.size(), 1U);
    ASSERT_TRUE(f.report(attempt, TaskState::canceled));

    EXPECT_EQ(f.state(id), "CANCELED");
}

TEST(Board, ADeadlineExpiresWhatHasNotEnded) {
    BoardFixture f;
    const TaskId id = f.create({.run = "x", .deadline = kStart + 10s});
    f.board.tick(kStart + 9s, f.changes);
    EXPECT_EQ(f.state(id), "PENDING");
    f.board.tick(kStart + 10s, f.changes);
    EXPECT_EQ(f.state(id), "EXPIRED");
}

TEST(Board, WaitsForADependencyAndFailsWithIt) {
    BoardFixture f;
    const TaskId prep = f.create({.run = "x"}, "prep");
    const TaskId main = f.create(
        {.run = "x", .schedule = ScheduleSpec{.dependencies = {{.task = "prep"}}}}, "main"
    );
    EXPECT_EQ(f.board.waiting(f.now).size(), 1U);

    ASSERT_TRUE(f.report(f.place(prep), TaskState::failed, TaskReason::exit_code, FaultDomain::user)
    );
    EXPECT_TRUE(f.board.waiting(f.now).empty());
    f.board.tick(f.now, f.changes);

    EXPECT_EQ(f.board.find(main)->reason, TaskReason::dependency_failed);
    EXPECT_EQ(f.state(main), "FAILED");
}

TEST(Board, PriorityGoesBeforeAge) {
    BoardFixture f;
    (void)f.create({.run = "x"}, "old");
    const TaskId urgent = f.create({.run = "x", .priority = 5}, "urgent");
    EXPECT_EQ(f.board.waiting(f.now).front().task_id, urgent);
    EXPECT_EQ(f.board.position(urgent, f.now), 1);
}

TEST(Board, IsTheSameAfterARestore) {
    BoardFixture f;
    const TaskId id = f.create({.run = "x", .array = ArraySpec{.params = {{"Frame", "1-3:1"}}}});
    const AttemptId attempt = f.place(id, 2);

    Board again;
    again.restore_task(*f.board.find(id));
    for (const TaskItem& item : *f.board.items(id)) again.restore_item(id, item);
    again.restore_attempt(*f.board.find_attempt(attempt));

    EXPECT_EQ(*again.find(id), *f.board.find(id));
    EXPECT_EQ(*again.items(id), *f.board.items(id));
    EXPECT_EQ(again.waiting(f.now).size(), f.board.waiting(f.now).size());
    EXPECT_EQ(again.active_attempts_on(f.node).size(), 1U);
}

}  // namespace
}  // namespace penstock::tasks
