// SPDX-License-Identifier: Apache-2.0
#include "server/leavers.h"

#include <gtest/gtest.h>

#include <sstream>

namespace penstock::server {
namespace {

using scheduler::Tenant;

const Time kStart = *parse_rfc3339("2026-11-24T00:00:00Z");

struct LeaversOfARound : testing::Test {
    SeededRandom random{1};
    IdSource ids{random};
    tasks::Board board;
    tasks::Changes changes;
    Tenant mine = tenant(), stranger = tenant();
    std::map<AttemptId, std::string> names;

    Tenant tenant() { return {ids.next<OrganisationId>(kStart), ids.next<ProjectId>(kStart)}; }
    AttemptId runs(
        const std::string& name, const Tenant& of, std::int64_t priority, bool preemptible = true,
        bool spot = false
    ) {
        TaskSpec spec{.run = "true"};
        spec.priority = priority;
        spec.preemptible = preemptible;
        spec.resources.use_spot = spot;
        Task task{.id = ids.next<TaskId>(kStart), .organisation_id = of.organisation};
        task.project_id = of.project;
        task.name = name;
        task.spec = std::move(spec);
        EXPECT_TRUE(board.create(task, changes));
        Attempt attempt{.id = ids.next<AttemptId>(kStart)};
        attempt.placement.node_id = ids.next<NodeId>(kStart);
        names[attempt.id] = name;
        return board.begin_attempt(task.id, 0, attempt, kStart, changes).id;
    }
    void begins(AttemptId attempt, Time at) {
        for (const TaskState state : {TaskState::staging, TaskState::running})
            EXPECT_TRUE(board.report(
                {.attempt_id = attempt, .fence = 1, .state = state, .at = at}, at, changes
            ));
    }
    // "name seconds" of each, and "leaves" of what was told to.
    std::string shown(
        const Leavers& leavers, std::int64_t priority, const ComputeQuota& quota = {},
        std::int64_t cpus = 1
    ) {
        scheduler::FairQueue queue(scheduler::Amounts{.cpu_milli = 64'000});
        queue.set_quota(mine.organisation, quota);
        std::ostringstream text;
        for (const LeavableWork& work :
             leavers.of(queue, {mine, priority}, {{.cpu_milli = cpus * 1000}}, kStart + 60s))
            for (const LeavableWork::Run& run : work.runs)
                text << names.at(run.attempt_id) << ' '
                     << std::chrono::duration_cast<std::chrono::seconds>(run.unsaved).count()
                     << (work.leaves ? " leaves, " : ", ");
        return text.str();
    }
};

TEST_F(LeaversOfARound, AreThoseOnWhomTheAskerCouldHaveAClaim) {
    begins(runs("low", mine, 0), kStart + 20s);
    runs("equal", mine, 5);
    runs("firm", mine, 0, false);
    runs("theirs", stranger, 0);
    runs("spot", stranger, 9, true, true);

    const Leavers leavers(board);

    EXPECT_EQ(shown(leavers, 5), "low 40, spot 0, ");
    EXPECT_EQ(shown(leavers, 6), "low 40, equal 0, spot 0, ");
}

TEST_F(LeaversOfARound, AreWhoBorrowedOnlyWhereTheGuaranteeCoversWhatIsAsked) {
    runs("theirs", stranger, 0);
    ComputeQuota quota;
    quota.guaranteed.cpus = 4;

    const Leavers leavers(board);

    EXPECT_EQ(shown(leavers, 0, quota, 4), "theirs 0, ");
    EXPECT_EQ(shown(leavers, 0, quota, 5), "");
}

TEST_F(LeaversOfARound, AreToldApartOnceTheyWereToldToLeave) {
    const AttemptId first = runs("first", mine, 0);
    runs("second", mine, 0);
    Leavers leavers(board);

    leavers.told_to_leave(first);

    EXPECT_EQ(shown(leavers, 1), "second 0, first 0 leaves, ");
    EXPECT_EQ(shown(leavers, 0), "");  // it has a claim on nobody: what leaves is no answer alone
}

TEST_F(LeaversOfARound, AreReplicasThatRunForLinesAloneWhoseverTheyAre) {
    const AttemptId lent = runs("lent", stranger, 9, false);
    runs("firm", stranger, 0, false);

    const Leavers leavers(board, {lent});

    EXPECT_EQ(shown(leavers, 0), "lent 0, ");
}

}  // namespace
}  // namespace penstock::server
