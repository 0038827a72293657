// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>

#include "tasks/board.h"
#include "tasks/state.h"

namespace penstock::tasks {
namespace {

const Time kStart = *parse_rfc3339("2026-11-24T00:00:00Z");

// A service whose replicas become ready when they are placed.
struct ServiceFixture {
    SeededRandom random{1};
    IdSource ids{random};
    Board board;
    Changes changes;
    Time now = kStart;
    TaskId id;

    explicit ServiceFixture(std::int64_t least = 0, std::int64_t most = 4) {
        Task task;
        task.id = id = ids.next<TaskId>(now);
        task.name = "chat";
        task.kind = TaskKind::Service;
        task.spec.kind = TaskKind::Service;
        task.spec.service = ServiceSpec{
            .replica_policy = ReplicaPolicy{.min_replicas = least, .max_replicas = most},
            .protocol = "openai",
            .model = "m"
        };
        task.created_at = now;
        EXPECT_TRUE(board.create(task, changes));
    }
    void set(std::int64_t replicas) {
        board.set_replicas(
            id, {.replicas = replicas, .reason = "why", .message = "because", .drain = 30s}, now,
            changes
        );
    }
    AttemptId place(std::int64_t item, const char* price = "1", double latency_ms = 10) {
        Attempt attempt;
        attempt.id = ids.next<AttemptId>(now);
        attempt.decision = {
            {.terms = {.latency_ms = latency_ms},
             .price_per_hour = *parse_price(price),
             .chosen = true}
        };
        now += 1s;
        return board.begin_attempt(id, item, attempt, now, changes).id;
    }
    AttemptId place_ready(std::int64_t item, const char* price = "1", double latency_ms = 10) {
        const AttemptId attempt = place(item, price, latency_ms);
        report(attempt, TaskState::running, "http://replica");
        return attempt;
    }
    void report(AttemptId attempt, TaskState state, std::optional<std::string> url = {}) {
        now += 1s;
        const auto taken = board.report(
            {.attempt_id = attempt,
             .fence = board.find_attempt(attempt)->fence,
             .state = state,
             .at = now,
             .service_url = std::move(url)},
            now, changes
        );
        EXPECT_TRUE(taken);
    }
    // "0 RUNNING, 1 RUNNING leaving, 2 rests"
    std::string shown() const {
        std::string all;
        for (const TaskItem& item : *board.items(id)) {
            all += (all.empty() ? "" : ", ") + std::to_string(item.index) + " " +
                   (rests(item) ? "rests" : name_of(item.state));
            if (item.leaves_at) all += " leaving";
        }
        return all;
    }
    std::string state() const { return name_of(board.find(id)->state); }
    std::size_t stop(bool drained) {
        changes.stops.clear();
        board.stop_leaving(now, [&](const Attempt&) { return drained; }, changes);
        return changes.stops.size();
    }
};

TEST(Replicas, AServiceThatNobodyCallsRestsWithoutWaitingForAnything) {
    ServiceFixture f;
    EXPECT_EQ(f.state(), "PAUSED");
    EXPECT_EQ(f.shown(), "0 rests");
    EXPECT_EQ(f.board.replicas(f.id), 0);
    EXPECT_EQ(f.board.find(f.id)->items, ItemCounts{});
    EXPECT_EQ(f.board.find(f.id)->reason, TaskReason::not_needed);
    EXPECT_TRUE(f.board.waiting(f.now).empty());
}

TEST(Replicas, GrowingMakesItemsThatWaitForAPlace) {
    ServiceFixture f;
    f.set(3);
    EXPECT_EQ(f.shown(), "0 PENDING, 1 PENDING, 2 PENDING");
    EXPECT_EQ(f.state(), "PENDING");
    EXPECT_EQ(f.board.waiting(f.now).size(), 3U);
    EXPECT_EQ(f.board.find(f.id)->reason, TaskReason::none);
    const auto event = std::ranges::find(f.changes.events, "replicas_changed", &Event::type);
    ASSERT_NE(event, f.changes.events.end());
    EXPECT_EQ(event->reason + ": " + event->message, "why: because");
}

TEST(Replicas, TheDearestLeavesFirstThenTheFarthestThenTheNewest) {
    ServiceFixture f(1);
    f.set(4);
    f.place_ready(0, "2");
    f.place_ready(1, "1", 90);
    f.place_ready(2, "1", 10);
    f.place_ready(3, "1", 10);

    f.set(3);
    EXPECT_EQ(f.shown(), "0 RUNNING leaving, 1 RUNNING, 2 RUNNING, 3 RUNNING");
    f.set(2);
    EXPECT_EQ(f.shown(), "0 RUNNING leaving, 1 RUNNING leaving, 2 RUNNING, 3 RUNNING");
    f.set(1);
    EXPECT_EQ(f.shown(), "0 RUNNING leaving, 1 RUNNING leaving, 2 RUNNING, 3 RUNNING leaving");
}

TEST(Replicas, WhatServesNobodyYetLeavesBeforeWhatIsReady) {
    ServiceFixture f(1);
    f.set(3);
    f.place_ready(0, "9");
    f.place(1, "1");

    f.set(2);
    EXPECT_EQ(f.shown(), "0 RUNNING, 1 RESERVED, 2 rests");
    f.set(1);
    EXPECT_EQ(f.shown(), "0 RUNNING, 1 RESERVED leaving, 2 rests");
    EXPECT_EQ(f.stop(false), 1U);  // it has no calls to wait for
}

TEST(Replicas, OneThatLeavesIsStoppedWhenItsCallsAreDoneOrItsTimeHasCome) {
    ServiceFixture f;
    f.set(1);
    const AttemptId attempt = f.place_ready(0);
    f.set(0);
    EXPECT_TRUE(f.board.is_leaving(*f.board.find_attempt(attempt)));
    EXPECT_EQ(f.stop(false), 0U);
    EXPECT_EQ(f.stop(true), 1U);
    EXPECT_EQ(f.changes.stops[0].stop.attempt_id, attempt);
    EXPECT_EQ(f.stop(true), 0U);
    f.now += kStopAgainAfter;
    EXPECT_EQ(f.stop(false), 1U);  // the agent may not have heard it
}

TEST(Replicas, TheTimeOfDrainingIsBounded) {
    ServiceFixture f;
    f.set(1);
    f.place_ready(0);
    f.set(0);
    f.now += 30s;
    EXPECT_EQ(f.stop(false), 1U);
}

TEST(Replicas, OneThatLeftRestsAndIsTakenAgain) {
    ServiceFixture f;
    f.set(1);
    const AttemptId attempt = f.place_ready(0);
    f.set(0);
    f.stop(true);
    f.report(attempt, TaskState::canceled);

    EXPECT_EQ(f.state(), "PAUSED");
    EXPECT_EQ(f.shown(), "0 rests");
    EXPECT_EQ(f.changes.ended, std::vector{attempt});
    EXPECT_EQ(f.board.find(f.id)->recoveries, 0);
    f.set(2);
    EXPECT_EQ(f.shown(), "0 PENDING, 1 PENDING");
    f.place_ready(0);
    EXPECT_EQ(f.board.find_attempt(*f.board.items(f.id)->at(0).attempt_id)->fence, 2);
}

TEST(Replicas, GrowingRecallsOneThatLeavesBeforeItStartsAnother) {
    ServiceFixture f;
    f.set(2);
    f.place_ready(0);
    f.place_ready(1);
    f.set(1);
    f.set(2);
    EXPECT_EQ(f.shown(), "0 RUNNING, 1 RUNNING");
    EXPECT_EQ(f.stop(true), 0U);
}

TEST(Replicas, OneThatWasStoppedAlreadyIsNotRecalled) {
    ServiceFixture f;
    f.set(1);
    f.place_ready(0);
    f.set(0);
    f.stop(true);
    f.set(1);
    EXPECT_EQ(f.shown(), "0 RUNNING leaving, 1 PENDING");
}

TEST(Replicas, OneThatIsLostWhileItLeavesIsNotStartedAgain) {
    ServiceFixture f(1);
    f.set(2);
    f.place_ready(0);
    const AttemptId leaves = f.place_ready(1);
    f.set(1);
    f.board.attempt_vanished(leaves, f.now, f.changes);
    EXPECT_EQ(f.shown(), "0 RUNNING, 1 rests");
}

TEST(Replicas, WhatFailedForGoodMakesRoomFirst) {
    ServiceFixture f(1);
    f.set(2);
    f.place_ready(0);
    for (std::int64_t i = 0; i <= kServiceRestartsMax; ++i) {
        const AttemptId attempt = f.place(1);
        f.report(attempt, TaskState::failed);
        f.now += kRetryDelayMax;
    }
    EXPECT_EQ(f.shown(), "0 RUNNING, 1 FAILED");
    f.set(1);
    EXPECT_EQ(f.shown(), "0 RUNNING, 1 rests");
}

TEST(Replicas, CancelingEndsWhatRestsAndStopsWhatLeaves) {
    ServiceFixture f;
    f.set(2);
    const AttemptId runs = f.place_ready(0);
    f.set(1);  // item 1 waits for a place
    f.changes.stops.clear();
    ASSERT_TRUE(f.board.cancel(f.id, TaskReason::canceled_by_user, "user", "", f.now, f.changes));
    EXPECT_EQ(f.changes.stops.size(), 1U);
    f.report(runs, TaskState::canceled);
    EXPECT_EQ(f.state(), "CANCELED");
}

TEST(Replicas, ARestingServiceIsCanceledAtOnceAndRestsAgainAfterARetry) {
    ServiceFixture f;
    ASSERT_TRUE(f.board.cancel(f.id, TaskReason::canceled_by_user, "user", "", f.now, f.changes));
    EXPECT_EQ(f.state(), "CANCELED");
    ASSERT_TRUE(f.board.retry(f.id, "user", f.now, f.changes));
    EXPECT_EQ(f.state(), "PAUSED");
    EXPECT_EQ(f.board.replicas(f.id), 0);
}

}  // namespace
}  // namespace penstock::tasks
