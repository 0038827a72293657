// SPDX-License-Identifier: Apache-2.0
#include "batches/room.h"

#include <gtest/gtest.h>

namespace penstock::batches {
namespace {

TEST(RoomForLines, AnIdleEndpointTakesItsLines) {
    EXPECT_EQ(room_for_lines({}), kLinesPerEndpoint);
    EXPECT_EQ(room_for_lines({.lines = 3}), kLinesPerEndpoint - 3);
    EXPECT_EQ(room_for_lines({.lines = kLinesPerEndpoint}), 0);
}

TEST(RoomForLines, InteractiveCallsTakeRoomAwayAndNeverBelowNothing) {
    EXPECT_EQ(room_for_lines({.calls = 1}), kLinesPerEndpoint - kLinesPerCall);
    EXPECT_EQ(room_for_lines({.calls = 4}), 0);
    EXPECT_EQ(room_for_lines({.calls = 1000, .lines = 8}), 0);
}

TEST(RoomForLines, NoLineBeginsWhileACallWaitsForAReplica) {
    EXPECT_EQ(room_for_lines({.held = 1}), 0);
}

}  // namespace
}  // namespace penstock::batches
