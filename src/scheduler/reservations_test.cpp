// SPDX-License-Identifier: Apache-2.0
#include "scheduler/reservations.h"

#include <gtest/gtest.h>

#include "scheduler/queue_fixture.h"

namespace penstock::scheduler {
namespace {

// One node of eight devices; a run of four ends in an hour, or nobody knows when.
struct Book final : NodeBook {
    std::vector<Held> held_now;
    Capacity total(NodeId) const override { return machine(64, 8); }
    std::vector<Held> held(NodeId) const override { return held_now; }
};

struct ReservationsOfOneNode : testing::Test {
    SeededRandom random{5};
    IdSource ids{random};
    NodeId node = ids.next<NodeId>(kQueueStart);
    OrganisationId organisation = ids.next<OrganisationId>(kQueueStart);
    Book book;
    Reservations promises;
    Time now = kQueueStart;

    const Reservation* reserve(WorkId work, std::int64_t count, OrganisationId of) {
        return promises.reserve(
            {.work = work, .organisation = of, .span = 2h}, {{node, devices(count)}}, now, book
        );
    }
    bool disturbs(std::int64_t count, std::optional<Duration> span) const {
        return promises.disturbed_by(99, {node, devices(count)}, span, now, book);
    }
};

TEST_F(ReservationsOfOneNode, AreForWhenEnoughOfWhatRunsHasEnded) {
    book.held_now = {{devices(4), now, now + 1h}};

    EXPECT_EQ(reserve(1, 8, organisation)->start, now + 1h);
}

TEST_F(ReservationsOfOneNode, LetOnlyStartWhatEndsBeforeOrFitsBeside) {
    book.held_now = {{devices(4), now, now + 1h}};
    (void)reserve(1, 6, organisation);

    EXPECT_FALSE(disturbs(4, 1h));
    EXPECT_TRUE(disturbs(4, 1h + 1s));
    EXPECT_FALSE(disturbs(2, std::nullopt));
}

TEST_F(ReservationsOfOneNode, NeverCountUnknownDurationsAsShort) {
    book.held_now = {{devices(4), now, now + 1h}};
    (void)reserve(1, 8, organisation);

    EXPECT_TRUE(disturbs(1, std::nullopt));
}

TEST_F(ReservationsOfOneNode, EmptyANodeWhereNobodyKnowsWhenItIsFree) {
    book.held_now = {{devices(4), now - 1h, std::nullopt}};
    const Reservation* made = reserve(1, 8, organisation);

    ASSERT_NE(made, nullptr);
    EXPECT_EQ(made->start, std::nullopt);
    EXPECT_TRUE(disturbs(1, 1min));
}

TEST_F(ReservationsOfOneNode, EmptyNothingForLongWhereItDoesNotHelp) {
    book.held_now = {{devices(4), now - 1h, std::nullopt}};
    (void)reserve(1, 8, organisation);
    now += kEmptyingMax;
    EXPECT_EQ(reserve(1, 8, organisation), nullptr);
    EXPECT_FALSE(disturbs(4, std::nullopt));

    now += kEmptyingRest;
    EXPECT_NE(reserve(1, 8, organisation), nullptr);
}

TEST_F(ReservationsOfOneNode, AreKeptWhenTheEndsComeEarlierAndMoveWhenTheyComeLater) {
    book.held_now = {{devices(4), now, now + 1h}};
    (void)reserve(1, 8, organisation);
    book.held_now = {{devices(4), now, now + 10min}};
    EXPECT_EQ(reserve(1, 8, organisation)->start, now + 10min);

    book.held_now = {{devices(4), now, now + 3h}};
    EXPECT_EQ(reserve(1, 8, organisation)->start, now + 3h);
    EXPECT_EQ(promises.all().size(), 1U);
}

TEST_F(ReservationsOfOneNode, AreBoundedByTenantAndInAll) {
    book.held_now = {{devices(8), now, now + 1h}};
    WorkId work = 0;
    for (std::size_t i = 0; i < kReservationsPerTenantMax; ++i)
        EXPECT_NE(reserve(++work, 1, organisation), nullptr);
    EXPECT_EQ(reserve(++work, 1, organisation), nullptr);
    while (promises.all().size() < kReservationsMax)
        ASSERT_NE(reserve(++work, 1, ids.next<OrganisationId>(now)), nullptr);
    EXPECT_EQ(reserve(++work, 1, ids.next<OrganisationId>(now)), nullptr);

    promises.keep_only({1});
    EXPECT_NE(reserve(work, 1, organisation), nullptr);
}

// Two nodes of eight devices: on the first another promise begins in an hour and lasts for two.
struct ReservationsOfAGang : testing::Test {
    struct TwoNodes final : NodeBook {
        std::map<NodeId, std::vector<Held>> held_now;
        Capacity total(NodeId) const override { return machine(64, 8); }
        std::vector<Held> held(NodeId node) const override {
            const auto found = held_now.find(node);
            return found == held_now.end() ? std::vector<Held>() : found->second;
        }
    };
    SeededRandom random{5};
    IdSource ids{random};
    NodeId first = ids.next<NodeId>(kQueueStart);
    NodeId second = ids.next<NodeId>(kQueueStart);
    TwoNodes book;
    Reservations promises;
    Time now = kQueueStart;

    ReservationsOfAGang() {
        book.held_now[first] = {{devices(8), now, now + 1h}};
        (void)promises.reserve(
            {.work = 1, .organisation = ids.next<OrganisationId>(now), .span = 2h},
            {{first, devices(8)}}, now, book
        );
        book.held_now[first] = {{devices(4), now, now + 1h}};
    }
    std::optional<Time> start_of_gang() {
        const auto both = [](const std::vector<Place>& places) {
            return places.size() == 2 ? std::optional(places) : std::nullopt;
        };
        const Reservation* made = promises.reserve(
            {.work = 2, .organisation = ids.next<OrganisationId>(now), .span = 1h},
            {{first, devices(4)}, {second, devices(4)}}, now, book, both
        );
        return made == nullptr ? std::nullopt : made->start;
    }
};

// The first node is free now and after the other promise, the second in half an hour.
TEST_F(ReservationsOfAGang, AreForWhenAllItsNodesAreFreeForTheWholeSpan) {
    book.held_now[second] = {{devices(8), now, now + 30min}};

    EXPECT_EQ(start_of_gang(), now + 3h);
    now += 10min;
    EXPECT_EQ(start_of_gang(), kQueueStart + 3h) << "a promise that was made is renewed";
}

TEST_F(ReservationsOfAGang, ComeForwardWhenTheNodesAreFreeBefore) {
    book.held_now[second] = {{devices(8), now, now + 30min}};
    (void)start_of_gang();
    book.held_now[second].clear();

    EXPECT_EQ(start_of_gang(), now);
}

// Work 1 has the older promise: of the first node in an hour. Work 3 has the second in 30 minutes.
TEST_F(ReservationsOfAGang, OlderWorkThatStartsEarlyElsewhereTakesNothingOfYounger) {
    book.held_now[first] = {{devices(8), now, now + 1h}};
    book.held_now[second] = {{devices(4), now, now + 30min}};
    (void)promises.reserve(
        {.work = 3, .organisation = ids.next<OrganisationId>(now), .span = 1h},
        {{second, devices(8)}}, now, book
    );
    EXPECT_TRUE(promises.disturbed_by(1, {second, devices(4)}, 2h, now, book));
    EXPECT_FALSE(promises.disturbed_by(1, {second, devices(4)}, 30min, now, book));

    now += 1h;
    book.held_now.clear();
    EXPECT_FALSE(promises.disturbed_by(1, {first, devices(8)}, 2h, now, book));
}

}  // namespace
}  // namespace penstock::scheduler
