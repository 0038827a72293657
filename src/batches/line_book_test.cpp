// SPDX-License-Identifier: Apache-2.0
#include "batches/line_book.h"

#include <gtest/gtest.h>

namespace penstock::batches {
namespace {

LineClaim by(RunId owner, Time until) { return {.owner = owner, .until = until}; }

const BatchId kBatch(RawId{7, ~std::uint64_t{0}});
const RunId kOne(RawId{1, 1});
const RunId kOther(RawId{1, 2});
const Time kNow{std::chrono::hours(1)};
const Time kUntil = kNow + 1min;

TEST(LineBook, GivesLinesInOrderAndEachOnce) {
    LineBook book(kBatch, 2);
    EXPECT_EQ(book.claim(by(kOne, kUntil))->line, 0);
    EXPECT_EQ(book.claim(by(kOther, kUntil))->line, 1);
    EXPECT_EQ(book.claim(by(kOther, kUntil)), std::nullopt);
    EXPECT_EQ(book.waiting(), 0);
}

TEST(LineBook, AReportCountsOnce) {
    LineBook book(kBatch, 1);
    const LineTry line = *book.claim(by(kOne, kUntil));
    EXPECT_TRUE(book.take(line));
    EXPECT_FALSE(book.take(line));
    book.end(0, true);
    EXPECT_FALSE(book.take(line));
    EXPECT_TRUE(book.all_ended());
    EXPECT_EQ(book.completed(), 1);
}

TEST(LineBook, AFailedTryWaitsAgainAndItsOldReportsDoNotCount) {
    LineBook book(kBatch, 1);
    const LineTry first = *book.claim(by(kOne, kUntil));
    ASSERT_TRUE(book.take(first));
    book.retry(0);
    const LineTry second = *book.claim(by(kOther, kUntil));
    EXPECT_EQ(second.attempt, 2);
    EXPECT_FALSE(book.take(first));
    EXPECT_TRUE(book.take(second));
}

TEST(LineBook, AClaimThatIsNotRenewedIsFree) {
    LineBook book(kBatch, 1);
    const LineTry line = *book.claim(by(kOne, kUntil));
    book.expire(kUntil - 1s);
    EXPECT_EQ(book.claim(by(kOther, kUntil)), std::nullopt);
    EXPECT_TRUE(book.renew(line, by(kOne, kUntil + 1min)));
    book.expire(kUntil);
    EXPECT_EQ(book.claim(by(kOther, kUntil)), std::nullopt);
    book.expire(kUntil + 1min);
    EXPECT_EQ(book.claim(by(kOther, kUntil))->line, 0);
}

TEST(LineBook, AProcessThatEndedHasNothingAnyMore) {
    LineBook book(kBatch, 3);
    book.claim(by(kOne, kUntil));
    book.claim(by(kOne, kUntil));
    book.claim(by(kOther, kUntil));
    book.give_back_all(kOne, {1});
    EXPECT_EQ(book.claim(by(kOther, kUntil))->line, 0);
    EXPECT_EQ(book.claim(by(kOther, kUntil)), std::nullopt);
}

TEST(LineBook, AfterARestartAClaimIsKnownAgainFromItsOwner) {
    LineBook book(kBatch, 2);
    EXPECT_TRUE(book.renew({kBatch, 1, 1}, by(kOne, kUntil)));
    EXPECT_FALSE(book.renew({kBatch, 1, 1}, by(kOther, kUntil)));
    EXPECT_EQ(book.claim(by(kOther, kUntil))->line, 0);
    EXPECT_EQ(book.claim(by(kOther, kUntil)), std::nullopt);
    book.give_back({kBatch, 1, 1}, kOne);
    EXPECT_EQ(book.claim(by(kOther, kUntil))->line, 1);
}

TEST(LineBook, WhatCouldNotBeStoredWaitsAgain) {
    LineBook book(kBatch, 1);
    const LineTry line = *book.claim(by(kOne, kUntil));
    ASSERT_TRUE(book.take(line));
    EXPECT_EQ(book.busy(), 1U);
    book.drop(line);
    EXPECT_EQ(book.busy(), 0U);
    EXPECT_EQ(book.claim(by(kOther, kUntil)), line);
}

TEST(LineBook, LinesOfOtherBatchesAndBeyondTheEndDoNotCount) {
    LineBook book(kBatch, 1);
    EXPECT_FALSE(book.take({BatchId(RawId{7, 1}), 0, 1}));
    EXPECT_FALSE(book.take({kBatch, 1, 1}));
    EXPECT_FALSE(book.take({kBatch, -1, 1}));
    EXPECT_FALSE(book.renew({kBatch, 0, 2}, by(kOne, kUntil)));
}

}  // namespace
}  // namespace penstock::batches
