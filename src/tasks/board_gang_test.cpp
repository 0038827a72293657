// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tasks/board.h"
#include "tasks/state.h"

namespace penstock::tasks {
namespace {

const Time kStart = *parse_rfc3339("2026-11-24T00:00:00Z");

struct GangFixture {
    SeededRandom random{1};
    IdSource ids{random};
    Board board;
    Changes changes;
    Time now = kStart;
    TaskId task;
    std::vector<AttemptId> members;

    explicit GangFixture(TaskSpec spec = {.run = "true"}) {
        Task made;
        made.id = task = ids.next<TaskId>(now);
        made.project_id = ids.next<ProjectId>(now);
        made.name = "job";
        spec.num_nodes = 3;
        made.spec = std::move(spec);
        made.created_at = now;
        EXPECT_TRUE(board.create(made, changes));
        place();
    }
    void place() {
        std::vector<Attempt> seats(3);
        for (std::size_t i = 0; i < seats.size(); ++i) {
            seats[i].id = ids.next<AttemptId>(now);
            seats[i].held = Money::micro(100);
            seats[i].placement.node_id = ids.next<NodeId>(now);
            seats[i].placement.site = "centre";
            seats[i].placement.node = "n" + std::to_string(i);
        }
        members.clear();
        for (const Attempt& each : board.begin_gang(task, 0, seats, now, changes))
            members.push_back(each.id);
        changes = {};
    }
    Result<void> report(std::size_t rank, AttemptReport report) {
        now += 1s;
        report.attempt_id = members.at(rank);
        report.fence = board.find_attempt(members.at(rank))->fence;
        report.at = now;
        return board.report(report, now, changes);
    }
    void all_run() {
        for (std::size_t rank = 0; rank < 3; ++rank)
            EXPECT_TRUE(report(rank, {.state = TaskState::staging, .ready = true}));
        for (std::size_t rank = 0; rank < 3; ++rank)
            EXPECT_TRUE(report(rank, {.state = TaskState::running}));
        changes = {};
    }
    // What the agent says when it was told to stop.
    void stopped(std::size_t rank) {
        EXPECT_TRUE(
            report(rank, {.state = TaskState::canceled, .reason = TaskReason::member_failed})
        );
    }
    void exits_with_an_error(std::size_t rank) {
        EXPECT_TRUE(report(
            rank, {.state = TaskState::failed,
                   .reason = TaskReason::exit_code,
                   .message = "exit code 1",
                   .fault_domain = FaultDomain::user,
                   .exit_code = 1}
        ));
    }
    void node_of_is_lost(std::size_t rank) {
        const NodeId node = board.find_attempt(members.at(rank))->placement.node_id;
        now += 10s;
        board.node_lost(node, now - 10s, now, changes);
    }
    std::string state() { return name_of(board.find(task)->state); }
    std::string states() {
        std::string all;
        for (const AttemptId id : members) {
            const Attempt& each = *board.find_attempt(id);
            all += name_of(each.state);
            if (each.fault_domain)
                all += *each.fault_domain == FaultDomain::user ? "/user" : "/provider";
            all += " ";
        }
        return all;
    }
    std::string stops() {
        std::string all;
        for (const Stop& stop : changes.stops)
            all += std::to_string(board.find_attempt(stop.stop.attempt_id)->gang->rank) + " ";
        return all;
    }
};

TEST(Gang, NobodyGoesBeforeTheLastIsReady) {
    GangFixture f;

    EXPECT_TRUE(f.report(2, {.state = TaskState::staging, .ready = true}));
    EXPECT_TRUE(f.report(0, {.state = TaskState::staging, .ready = true}));
    EXPECT_TRUE(f.changes.goes.empty());
    EXPECT_TRUE(f.report(1, {.state = TaskState::staging, .ready = true}));
    EXPECT_TRUE(f.report(1, {.state = TaskState::staging, .ready = true}));

    EXPECT_EQ(f.changes.goes.size(), 3U);
    EXPECT_EQ(f.changes.goes.back().go.attempt_id, f.members.back());
    EXPECT_EQ(f.state(), "STAGING");
}

TEST(Gang, AMemberThatWasAwayAtTheStartGoesEvenWhenAnotherHasSucceeded) {
    GangFixture f;
    for (std::size_t rank = 0; rank < 3; ++rank)
        EXPECT_TRUE(f.report(rank, {.state = TaskState::staging, .ready = true}));
    EXPECT_TRUE(f.report(0, {.state = TaskState::running}));
    EXPECT_TRUE(f.report(0, {.state = TaskState::succeeded}));

    EXPECT_TRUE(f.board.may_go(*f.board.find_attempt(f.members[1])));
    f.exits_with_an_error(2);
    EXPECT_FALSE(f.board.may_go(*f.board.find_attempt(f.members[1])));
}

TEST(Gang, IsAsFarAsItsSlowestMemberAndSucceedsWhenAllDid) {
    GangFixture f;
    f.all_run();

    EXPECT_TRUE(f.report(1, {.state = TaskState::collecting}));
    EXPECT_TRUE(f.report(1, {.state = TaskState::succeeded, .exit_code = 0}));
    EXPECT_EQ(f.state(), "RUNNING");
    EXPECT_TRUE(f.changes.ended.empty());
    EXPECT_EQ(f.changes.vacated, std::vector{f.members[1]});
    EXPECT_TRUE(f.report(0, {.state = TaskState::succeeded, .exit_code = 0}));
    EXPECT_TRUE(f.report(2, {.state = TaskState::succeeded, .exit_code = 0}));

    EXPECT_EQ(f.state(), "SUCCEEDED");
    EXPECT_EQ(f.changes.ended, f.members);
    EXPECT_TRUE(f.changes.stops.empty());
}

TEST(Gang, AMemberThatFailsByItsOwnFaultFailsTheItemOnceAllHaveStopped) {
    GangFixture f;
    f.all_run();

    f.exits_with_an_error(1);
    EXPECT_EQ(f.stops(), "0 2 ");
    EXPECT_EQ(f.state(), "RUNNING");
    f.stopped(0);
    f.stopped(2);

    EXPECT_EQ(f.state(), "FAILED");
    EXPECT_EQ(f.states(), "CANCELED FAILED/user CANCELED ");
    EXPECT_EQ(f.board.find(f.task)->message, "rank 1 on centre/n1: exit code 1");
    EXPECT_EQ(f.board.find(f.task)->exit_code, 1);
    EXPECT_EQ(f.changes.ended, f.members);
}

TEST(Gang, ALostNodeIsTheCauseEvenWhenItsPeersFailedBeforeThatWasNoticed) {
    GangFixture f;
    f.all_run();

    f.exits_with_an_error(0);  // "connection reset by peer"
    f.stopped(2);
    EXPECT_EQ(f.state(), "RUNNING");
    f.node_of_is_lost(1);

    EXPECT_EQ(f.state(), "RECOVERING");
    EXPECT_EQ(f.states(), "FAILED/provider FAILED/provider CANCELED/provider ");
    const Attempt& lost = *f.board.find_attempt(f.members[1]);
    EXPECT_EQ(f.board.failed_nodes(f.task, 0), std::vector{lost.placement.node_id});
    EXPECT_EQ(f.board.find(f.task)->recoveries, 1);
}

TEST(Gang, AllMembersOfTheNextTryTakeTheHeadsCheckpointAndANewFence) {
    GangFixture f({.run = "true", .checkpoint = CheckpointSpec{}});
    f.all_run();
    EXPECT_TRUE(
        f.report(0, {.state = TaskState::running, .checkpoint = Checkpoint{.sha256 = "abc"}})
    );
    f.node_of_is_lost(1);
    EXPECT_EQ(f.stops(), "0 2 ");
    f.stopped(0);
    f.stopped(2);
    EXPECT_EQ(f.state(), "RECOVERING");

    const std::vector<AttemptId> before = f.members;
    f.place();

    for (const AttemptId id : f.members) {
        EXPECT_EQ(f.board.find_attempt(id)->restored_from->sha256, "abc");
        EXPECT_EQ(f.board.find_attempt(id)->fence, 2);
    }
    const Attempt& old = *f.board.find_attempt(before[0]);
    EXPECT_EQ(
        f.board
            .report(
                {.attempt_id = old.id, .fence = old.fence, .state = TaskState::running}, f.now,
                f.changes
            )
            .error()
            .code,
        ErrorCode::conflict
    );
}

TEST(Gang, ThatDoesNotAssembleFailsByTheFaultOfThoseThatAreLate) {
    GangFixture f;
    EXPECT_TRUE(f.report(0, {.state = TaskState::staging, .ready = true}));
    EXPECT_TRUE(f.report(1, {.state = TaskState::staging, .ready = true}));
    f.now += kGangAssemblyMax + 1s;
    f.changes = {};

    f.board.tick(f.now, f.changes);
    EXPECT_EQ(f.stops(), "2 0 1 ");
    f.stopped(0);
    f.stopped(1);

    EXPECT_EQ(f.state(), "RECOVERING");
    EXPECT_EQ(f.board.find_attempt(f.members[2])->reason, TaskReason::agent_error);
    EXPECT_EQ(f.board.failed_nodes(f.task, 0).size(), 1U);
}

TEST(Gang, CancelStopsEveryMember) {
    GangFixture f;
    f.all_run();

    EXPECT_TRUE(f.board.cancel(f.task, TaskReason::canceled_by_user, "user/u", "", f.now, f.changes)
    );
    EXPECT_EQ(f.stops(), "0 1 2 ");
    EXPECT_FALSE(f.board.is_wanted(*f.board.find_attempt(f.members[0])));
    for (std::size_t rank = 0; rank < 3; ++rank)
        EXPECT_TRUE(
            f.report(rank, {.state = TaskState::canceled, .reason = TaskReason::canceled_by_user})
        );

    EXPECT_EQ(f.state(), "CANCELED");
    EXPECT_EQ(f.changes.ended, f.members);
}

TEST(Gang, CollectsTheOutputsOfEveryRankUnderNamesOfTheirOwn) {
    GangFixture f;
    f.all_run();

    for (std::size_t rank = 0; rank < 3; ++rank)
        EXPECT_TRUE(f.report(
            rank,
            {.state = TaskState::succeeded, .outputs = {{.path = "out/model.bin", .sha256 = "a"}}}
        ));

    std::string paths;
    for (const OutputFile& output : f.board.find(f.task)->outputs) paths += output.path + " ";
    EXPECT_EQ(paths, "out/model.bin rank-1/out/model.bin rank-2/out/model.bin ");
}

TEST(Gang, IsStoppedWhereAMemberThatWasAwayComesBack) {
    GangFixture f;
    f.all_run();
    EXPECT_TRUE(f.board.is_wanted(*f.board.find_attempt(f.members[0])));

    f.exits_with_an_error(1);

    EXPECT_FALSE(f.board.is_wanted(*f.board.find_attempt(f.members[0])));
}

}  // namespace
}  // namespace penstock::tasks
