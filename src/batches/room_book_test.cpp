// SPDX-License-Identifier: Apache-2.0
#include "batches/room_book.h"

#include <gtest/gtest.h>

namespace penstock::batches {
namespace {

const Time kNow{std::chrono::hours(1000)};
const EndpointId kHere{RawId{9, 1}};
const EndpointId kThere{RawId{9, 2}};

ReportUses report(std::string replica, std::vector<EndpointUse> uses) {
    return {.replica = std::move(replica), .uses = std::move(uses)};
}

TEST(RoomBook, CallsOfAllGatewaysTakeTheRoomOfOneEndpoint) {
    RoomBook book;
    ASSERT_TRUE(book.report(report("a", {{.endpoint_id = kHere, .calls = 1}}), kNow));
    ASSERT_TRUE(book.report(report("b", {{.endpoint_id = kHere, .calls = 2}}), kNow));

    EXPECT_EQ(book.load(kHere, "m").calls, 3);
    EXPECT_EQ(room_for_lines(book.load(kHere, "m")).lines, kLinesPerEndpoint - 3 * kLinesPerCall);
    EXPECT_EQ(book.load(kThere, "m").calls, 0);
}

TEST(RoomBook, AReportReplacesTheOneBeforeAndASilentGatewayCountsForAWhile) {
    RoomBook book;
    ASSERT_TRUE(book.report(report("a", {{.endpoint_id = kHere, .calls = 4}}), kNow));
    ASSERT_TRUE(book.report(report("a", {{.endpoint_id = kHere, .calls = 1}}), kNow + 1s));
    EXPECT_EQ(book.load(kHere, "m").calls, 1);

    book.drop_silent(kNow + 1s + RoomBook::kSilentAfter);
    EXPECT_EQ(book.load(kHere, "m").calls, 1);
    book.drop_silent(kNow + 2s + RoomBook::kSilentAfter);
    EXPECT_EQ(book.load(kHere, "m").calls, 0);
    EXPECT_FALSE(book.is_open(kHere));
}

TEST(RoomBook, WhatAnyGatewayHeardOfAnEngineCountsAndCallsThatAreHeldTakeAModelsRoom) {
    RoomBook book;
    ReportUses told = report("a", {{.endpoint_id = kHere, .engine_calls_waiting = 2}});
    told.held = {{"m", 1}};
    ASSERT_TRUE(book.report(told, kNow));
    ASSERT_TRUE(book.report(report("b", {{.endpoint_id = kHere, .cache_used_share = 0.4}}), kNow));

    const EndpointLoad load = book.load(kHere, "m");
    EXPECT_EQ(load.engine_calls_waiting, 2);
    EXPECT_EQ(load.cache_used_share, 0.4);
    EXPECT_EQ(load.held, 1);
    EXPECT_EQ(book.load(kHere, "other").held, 0);
}

TEST(RoomBook, AnEndpointIsOpenWhereAGatewaySaysSo) {
    RoomBook book;
    ASSERT_TRUE(book.report(report("a", {{.endpoint_id = kHere, .open = false}}), kNow));
    ASSERT_TRUE(book.report(report("b", {{.endpoint_id = kHere}}), kNow));
    EXPECT_FALSE(book.is_open(kHere, "a"));
    EXPECT_TRUE(book.is_open(kHere, "b"));
    EXPECT_FALSE(book.is_open(kThere, "b"));
    EXPECT_TRUE(book.is_open(kHere));
}

TEST(RoomBook, KnowsWhetherEverybodyWasHeardSince) {
    RoomBook book;
    EXPECT_FALSE(book.all_heard_since(kNow)) << "nobody was";
    ASSERT_TRUE(book.report(report("a", {}), kNow));
    ASSERT_TRUE(book.report(report("b", {}), kNow + 1s));
    EXPECT_TRUE(book.all_heard_since(kNow));
    EXPECT_FALSE(book.all_heard_since(kNow + 1s));
}

TEST(RoomBook, TellsWhetherAReportMayHaveMadeRoom) {
    RoomBook book;
    EXPECT_EQ(book.report(report("a", {{.endpoint_id = kHere, .calls = 2}}), kNow), true);
    EXPECT_EQ(book.report(report("a", {{.endpoint_id = kHere, .calls = 3}}), kNow), false);
    EXPECT_EQ(book.report(report("a", {{.endpoint_id = kHere, .calls = 1}}), kNow), true);
    EXPECT_EQ(book.report(report("a", {{.endpoint_id = kHere, .open = false}}), kNow), true);
    EXPECT_EQ(book.report(report("a", {{.endpoint_id = kHere, .open = false}}), kNow), false);
}

TEST(RoomBook, RefusesWhatIsNoReportAndNamesTheField) {
    RoomBook book;
    const auto field = [&](const ReportUses& told) {
        const Result<bool> taken = book.report(told, kNow);
        return taken ? std::string() : taken.error().field;
    };
    EXPECT_EQ(field(report("", {})), "replica");
    EXPECT_EQ(field(report("a", {{.endpoint_id = kHere, .calls = -1}})), "uses[0].calls");
    EXPECT_EQ(
        field(report("a", {{.endpoint_id = kHere, .cache_used_share = 1.5}})),
        "uses[0].cache_used_share"
    );
    EXPECT_EQ(field(report("a", std::vector<EndpointUse>(RoomBook::kUsesMax + 1))), "uses");
}

}  // namespace
}  // namespace penstock::batches
