// SPDX-License-Identifier: Apache-2.0
#include "agent/outbox.h"

#include <gtest/gtest.h>

namespace penstock::agent {
namespace {

AttemptReport numbered(std::int64_t seq) {
    AttemptReport report;
    report.seq = seq;
    return report;
}
std::int64_t next(const Outbox& outbox, std::int64_t after) {
    const AttemptReport* report = outbox.next_after(after);
    return report == nullptr ? 0 : report->seq;
}

TEST(Outbox, SendsInOrderAndOnlyWhatIsDurable) {
    Outbox outbox(10);
    EXPECT_EQ(outbox.number(), 11);
    EXPECT_EQ(outbox.number(), 12);

    outbox.durable(numbered(12));
    EXPECT_EQ(next(outbox, 0), 0);
    outbox.durable(numbered(11));

    EXPECT_EQ(next(outbox, 0), 11);
    EXPECT_EQ(next(outbox, 11), 12);
    EXPECT_EQ(next(outbox, 12), 0);
}

TEST(Outbox, DoesNotWaitForWhatWasReplaced) {
    Outbox outbox(0);
    const std::int64_t first = outbox.number();
    outbox.durable(numbered(outbox.number()));

    outbox.drop(first);

    EXPECT_EQ(next(outbox, 0), 2);
}

TEST(Outbox, RepeatsUntilItIsAcknowledged) {
    Outbox outbox(0);
    outbox.durable(numbered(3));
    outbox.durable(numbered(5));

    outbox.acknowledge(4);

    EXPECT_EQ(next(outbox, 0), 5);
    EXPECT_EQ(outbox.size(), 1U);
}

TEST(Outbox, NumbersAboveEverythingItHasSeen) {
    Outbox outbox(0);
    outbox.durable(numbered(7));
    outbox.skip_to(20);

    EXPECT_EQ(outbox.number(), 21);
}

}  // namespace
}  // namespace penstock::agent
