// SPDX-License-Identifier: Apache-2.0
#include "gateway/idempotency_table.h"

#include <gtest/gtest.h>

namespace penstock::gateway {
namespace {

using Kind = IdempotencyRecord::Kind;
using Ruling = IdempotencyTable::Ruling;

const Time kStart{std::chrono::hours(1'000'000)};

Sha256 token(int n) { return sha256("token " + std::to_string(n)); }
const Sha256 kRequest = sha256("request");

IdempotencyRecord record(Kind kind, int n, Time at) {
    return {
        .kind = kind,
        .token = token(n),
        .fingerprint = kRequest,
        .call_id = RequestId(RawId{1, static_cast<std::uint64_t>(n)}),
        .at = at,
        .owner = kind == Kind::begun ? "spool" : "",
        .end = KeptEnd::answered
    };
}

TEST(IdempotencyTable, TellsWhatARequestWithAKeyIs) {
    IdempotencyTable table;
    EXPECT_EQ(table.judge(token(1), kRequest, kStart).ruling, Ruling::begins);
    table.apply(record(Kind::begun, 1, kStart), {1, 0, 10});
    EXPECT_EQ(table.judge(token(1), kRequest, kStart).ruling, Ruling::runs);
    EXPECT_EQ(table.judge(token(1), sha256("other"), kStart).ruling, Ruling::other_request);
    EXPECT_EQ(table.judge(token(2), kRequest, kStart).ruling, Ruling::begins);

    table.apply(record(Kind::ended, 1, kStart + 1s), {1, 10, 20});
    EXPECT_EQ(table.running(), 0U);
    const auto ended = table.judge(token(1), kRequest, kStart + 2s);
    EXPECT_EQ(ended.ruling, Ruling::ended);
    EXPECT_EQ(ended.entry.place, (IdempotencyTable::Place{1, 10, 20}));
    EXPECT_EQ(table.judge(token(1), sha256("other"), kStart + 2s).ruling, Ruling::other_request);
}

TEST(IdempotencyTable, AKeyThatWasFreedMayBeUsedAgainForAnything) {
    IdempotencyTable table;
    table.apply(record(Kind::begun, 1, kStart), {});
    table.apply(record(Kind::freed, 1, kStart), {});
    EXPECT_EQ(table.judge(token(1), sha256("other"), kStart).ruling, Ruling::begins);
    EXPECT_EQ(table.running(), 0U);
}

TEST(IdempotencyTable, AKeyIsKeptForADay) {
    IdempotencyTable table;
    table.apply(record(Kind::ended, 1, kStart), {});
    const Time last = kStart + IdempotencyTable::kKeptFor - 1us;
    EXPECT_EQ(table.judge(token(1), kRequest, last).ruling, Ruling::ended);
    EXPECT_EQ(table.judge(token(1), kRequest, last + 1us).ruling, Ruling::begins);
    EXPECT_EQ(table.size(), 0U);
}

TEST(IdempotencyTable, AtItsLimitKeysThatWereKeptForLongEnoughMakeRoom) {
    IdempotencyTable table(2);
    table.apply(record(Kind::ended, 1, kStart), {});
    table.apply(record(Kind::begun, 2, kStart), {});
    EXPECT_EQ(table.judge(token(3), kRequest, kStart + 9min).ruling, Ruling::full);
    EXPECT_EQ(table.keys_evicted(), 0U);
    EXPECT_EQ(table.judge(token(3), kRequest, kStart + 10min).ruling, Ruling::begins);
    EXPECT_EQ(table.keys_evicted(), 1U);
    table.apply(record(Kind::begun, 3, kStart + 10min), {});
    // What runs is never forgotten.
    EXPECT_EQ(table.judge(token(4), kRequest, kStart + 20min).ruling, Ruling::full);
}

TEST(IdempotencyTable, KeysOfASegmentThatGoesAreWrittenAnewWithoutTheirAnswers) {
    IdempotencyTable table;
    table.apply(record(Kind::ended, 1, kStart), {1, 0, 10});
    table.apply(record(Kind::begun, 2, kStart), {1, 10, 10});
    table.apply(record(Kind::ended, 3, kStart), {2, 0, 10});
    table.apply(record(Kind::ended, 4, kStart - 25h), {1, 20, 10});

    const std::vector<IdempotencyRecord> carried = table.carried_over(1, kStart);
    ASSERT_EQ(carried.size(), 2U);
    for (const IdempotencyRecord& one : carried) table.apply(one, {2, 10, 10});
    table.forget_segment(1);

    EXPECT_EQ(table.size(), 3U);
    EXPECT_EQ(table.running(), 1U);
    EXPECT_EQ(table.find(token(1), kStart)->end, KeptEnd::evicted);
    EXPECT_EQ(table.owner_name(*table.find(token(2), kStart)), "spool");
    EXPECT_EQ(table.find(token(3), kStart)->end, KeptEnd::answered);
}

}  // namespace
}  // namespace penstock::gateway
