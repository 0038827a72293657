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

}  // namespace
}  // namespace penstock::scheduler
