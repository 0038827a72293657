// SPDX-License-Identifier: Apache-2.0
#include "dispatch/decision_log.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "dispatch/dispatch_fixture.h"
#include "dispatch/replay.h"
#include "json/json.h"

namespace penstock::dispatch {
namespace {

// A yard whose decisions are logged; rows that were given out are its store.
struct LoggedYard : Yard {
    DecisionLog log;
    std::map<std::pair<std::string, std::string>, std::string> store;

    explicit LoggedYard(DecisionsKept kept = {}) : log(engine, kept) { fleet.tell(log); }

    DecisionId decide_and_hold(const ResourceRequest& request) {
        const DecisionQuestion asked = question({request});
        const DecisionAnswer answer = engine.decide(asked);
        Decision decision{.id = ids.next<DecisionId>(kStart), .at = kStart};
        const DecisionId id = decision.id;
        keep(log.add(std::move(decision), asked, answer));
        if (answer.plan.feasible) {
            const Candidate& chosen = answer.plan.candidates.front();
            last = ids.next<AttemptId>(kStart);
            EXPECT_TRUE(fleet.hold(last, chosen.node_id, chosen.request, answer.devices));
        }
        return id;
    }
    std::size_t stored_decisions() const {
        return static_cast<std::size_t>(std::ranges::count_if(store, [](const auto& row) {
            return row.first.first == kDecisionKind;
        }));
    }
    std::size_t bytes_of_decisions() const {
        std::size_t bytes = 0;
        for (const auto& [key, body] : store)
            if (key.first == kDecisionKind) bytes += body.size();
        return bytes;
    }
    void keep(const DecisionLog::Rows& rows) {
        for (const auto& row : rows.put) store[{std::string(row.kind), row.id}] = row.body;
        for (const auto& row : rows.removed) store.erase({std::string(row.kind), row.id});
    }
};

std::string replayed(const DecisionLog& log, DecisionId id) {
    const Result<DecisionRecord> record = log.record(id);
    if (!record) return to_string(record.error());
    // As a client has it: through text.
    const Result<DecisionRecord> read = json::parse<DecisionRecord>(json::print(*record));
    if (!read) return to_string(read.error());
    const Replay again = replay(*read);
    return again.identical ? "identical" : again.difference;
}

TEST(DecisionLog, ADecisionIsMadeAgainFromItsRecord) {
    LoggedYard yard;
    const SiteId site = yard.site("centre", {{"H100", "fgd"}});
    yard.node(site, {.name = "a", .devices = {"H100", "H100"}});
    yard.node(site, {.name = "b", .devices = {"H100", "H100"}});

    const DecisionId first = yard.decide_and_hold(Yard::request(1000, "H100", 300));
    const DecisionId second = yard.decide_and_hold(Yard::request(1000, "H100", 2000));
    yard.fleet.release(yard.last);
    (void)yard.fleet.set_cordoned(yard.nodes[0], true);
    const DecisionId third = yard.decide_and_hold(Yard::request(1000, "H100", 600));

    EXPECT_EQ(replayed(yard.log, first), "identical");
    EXPECT_EQ(replayed(yard.log, second), "identical");
    EXPECT_EQ(replayed(yard.log, third), "identical");
}

// What is known of restarts is an input like any: before a decision, between two, and from the
// store.
TEST(DecisionLog, HowOftenWorkStartsAgainIsRecordedAndReplayed) {
    LoggedYard yard;
    const SiteId site = yard.site("centre");
    yard.node(site, {.name = "a"});
    const auto seen = [&](std::int64_t restarts) {
        yard.log.restarts_put(
            {.site_id = site, .sku = "cpu", .restarts = restarts, .running_ms = 360'000'000}
        );
    };
    const auto rate_of = [](const DecisionLog& log, DecisionId id) {
        return log.record(id)->answer.plan.candidates[0].restarts->restarts;
    };
    seen(3);
    const DecisionId first = yard.decide_and_hold(Yard::request(1000));
    seen(7);
    const DecisionId second = yard.decide_and_hold(Yard::request(1000));

    Engine engine;
    DecisionLog after(engine);
    for (const auto& [key, body] : yard.store)
        ASSERT_TRUE(after.restore(key.first, key.second, body));
    after.ready();

    EXPECT_EQ(rate_of(after, first), 3);
    EXPECT_EQ(rate_of(after, second), 7);
    EXPECT_EQ(replayed(after, first), "identical");
    EXPECT_EQ(replayed(after, second), "identical");
}

TEST(DecisionLog, AnotherAnswerIsFoundAndNamed) {
    LoggedYard yard;
    const SiteId site = yard.site("centre");
    yard.node(site, {.name = "a"});
    yard.node(site, {.name = "b"});
    DecisionRecord record = *yard.log.record(yard.decide_and_hold(Yard::request(1000)));

    record.state.nodes[0].cordoned = true;
    const Replay again = replay(record);

    EXPECT_FALSE(again.identical);
    EXPECT_EQ(again.difference.substr(0, 26), "answer.picks[0].node_id: \"") << again.difference;
}

TEST(DecisionLog, AnAnswerThatWasChangedAlikeIsFoundByItsDigest) {
    LoggedYard yard;
    yard.node(yard.site("centre"), {.name = "a"});
    DecisionRecord record = *yard.log.record(yard.decide_and_hold(Yard::request(1000)));

    record.decision.answer_sha256[0] = record.decision.answer_sha256[0] == '0' ? '1' : '0';

    EXPECT_FALSE(replay(record).identical);
}

TEST(DecisionLog, WhatWasStoredIsReplayedByTheNextProcess) {
    LoggedYard before;
    const SiteId site = before.site("centre");
    for (int i = 0; i < 3; ++i)
        before.node(site, {.name = "n" + std::to_string(i), .devices = {"H100", "H100"}});
    std::vector<DecisionId> made;
    for (int i = 0; i < 8; ++i)
        made.push_back(before.decide_and_hold(Yard::request(1000, "H100", 400)));

    Engine engine;
    DecisionLog after(engine);
    for (const auto& [key, body] : before.store)
        ASSERT_TRUE(after.restore(key.first, key.second, body));
    after.ready();

    EXPECT_EQ(replayed(after, made.front()), "identical");
    EXPECT_EQ(replayed(after, made.back()), "identical");
    EXPECT_GT(engine.position(), before.log.decisions().back().position);
}

TEST(DecisionLog, KeepsTheNewestAndWhatTheyNeed) {
    constexpr std::size_t kKept = 300;
    LoggedYard yard({.decisions = kKept});
    const SiteId site = yard.site("centre");
    for (int i = 0; i < 4; ++i) yard.node(site, {.name = "n" + std::to_string(i)});
    const DecisionId first = yard.decide_and_hold(Yard::request(1000));
    yard.fleet.release(yard.last);
    DecisionId newest;
    for (std::size_t i = 0; i < 10 * kKept; ++i) {
        newest = yard.decide_and_hold(Yard::request(1000));
        yard.fleet.release(yard.last);
    }

    EXPECT_EQ(yard.log.decisions().size(), kKept);
    EXPECT_EQ(replayed(yard.log, first).substr(0, 9), "not_found");
    EXPECT_EQ(replayed(yard.log, yard.log.decisions().front().id), "identical");
    EXPECT_EQ(replayed(yard.log, newest), "identical");
    // Decisions, their inputs (two each), and what one checkpoint may lag behind.
    EXPECT_LE(yard.store.size(), 3 * kKept + 2 * kInputsPerCheckpoint);
}

TEST(DecisionLog, KeepsNoMoreBytesThanItMayAndAlwaysTheNewest) {
    constexpr std::size_t kMib = 1UL << 20;
    LoggedYard yard({.bytes = kMib});
    const SiteId site = yard.site("centre");
    for (int i = 0; i < 16; ++i) yard.node(site, {.name = "n" + std::to_string(i)});
    std::size_t largest = 0;
    DecisionId newest;
    for (int i = 0; i < 400; ++i) {
        newest = yard.decide_and_hold(Yard::request(1000));
        yard.fleet.release(yard.last);
        largest = std::max(largest, yard.bytes_of_decisions());
    }

    EXPECT_LT(yard.log.decisions().size(), 400);
    EXPECT_LE(largest, kMib);
    EXPECT_GT(largest, kMib / 2) << "it forgets no earlier than it must";
    EXPECT_EQ(replayed(yard.log, newest), "identical");
}

// A process that keeps fewer than the one before it.
TEST(DecisionLog, ARestartWithASmallerLimitForgetsTheOldestAndTheirRows) {
    LoggedYard before;
    before.node(before.site("centre"), {.name = "a"});
    std::vector<DecisionId> made;
    for (int i = 0; i < 20; ++i) {
        made.push_back(before.decide_and_hold(Yard::request(1000)));
        before.fleet.release(before.last);
    }

    LoggedYard after({.decisions = 5});
    for (const auto& [key, body] : before.store)
        ASSERT_TRUE(after.log.restore(key.first, key.second, body));
    after.log.ready();
    after.store = before.store;
    after.random = SeededRandom(8);  // other ids than those of the process before

    EXPECT_EQ(after.log.decisions().size(), 5);
    EXPECT_EQ(replayed(after.log, made[15]), "identical");
    EXPECT_EQ(
        to_string(after.log.record(made[14]).error()),
        "not_found: id: no decision '" + to_string(made[14]) +
            "' is kept: the platform keeps the newest 5, 64 MiB of them at most; its operator can "
            "raise that for later ones (penstock server --decisions-kept, --decision-log-mib)"
    );
    after.node(after.site("other"), {.name = "b"});
    (void)after.decide_and_hold(Yard::request(1000));
    EXPECT_EQ(after.stored_decisions(), 5) << "the rows of the forgotten ones are gone";
}

TEST(DecisionLog, RefusesLimitsThatKeepNothingOrHaveNoBound) {
    EXPECT_TRUE(check(DecisionsKept()));
    EXPECT_EQ(check(DecisionsKept{.decisions = 0}).error().field, "decisions_kept");
    EXPECT_EQ(
        check(DecisionsKept{.decisions = kDecisionsKeptMax + 1}).error().field, "decisions_kept"
    );
    EXPECT_EQ(check(DecisionsKept{.bytes = 1000}).error().field, "decision_log_bytes");
    EXPECT_EQ(
        check(DecisionsKept{.bytes = std::size_t{1} << 40}).error().field, "decision_log_bytes"
    );
}

TEST(DecisionLog, SaysOnceWhatStandsInTheWay) {
    LoggedYard yard;
    yard.node(yard.site("centre"), {.name = "a", .cpus = 2});
    const TaskId task = yard.ids.next<TaskId>(kStart);
    const DecisionQuestion asked = Yard::question({Yard::request(4000)});
    const DecisionAnswer answer = yard.engine.decide(asked);

    EXPECT_TRUE(yard.log.differs(task, answer));
    (void)yard.log.add(
        {.id = yard.ids.next<DecisionId>(kStart),
         .at = kStart,
         .task_id = task,
         .outcome = DecisionOutcome::wait},
        asked, answer
    );
    EXPECT_FALSE(yard.log.differs(task, answer));
    (void)yard.fleet.tick(kStart + 1h);
    EXPECT_TRUE(yard.log.differs(task, yard.engine.decide(Yard::question({Yard::request(1000)}))));
}

}  // namespace
}  // namespace penstock::dispatch
