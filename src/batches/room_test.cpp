// SPDX-License-Identifier: Apache-2.0
#include "batches/room.h"

#include <gtest/gtest.h>

namespace penstock::batches {
namespace {

TEST(RoomForLines, AnIdleEndpointTakesItsLines) {
    EXPECT_EQ(room_for_lines({}), (Room{kLinesPerEndpoint, NoRoom::none}));
    EXPECT_EQ(room_for_lines({.lines = 3}), (Room{kLinesPerEndpoint - 3, NoRoom::none}));
    EXPECT_EQ(room_for_lines({.lines = kLinesPerEndpoint}), (Room{0, NoRoom::lines}));
}

TEST(RoomForLines, InteractiveCallsTakeRoomAwayAndNeverBelowNothing) {
    EXPECT_EQ(room_for_lines({.calls = 1}), (Room{kLinesPerEndpoint - kLinesPerCall}));
    EXPECT_EQ(room_for_lines({.calls = 4}), (Room{0, NoRoom::calls}));
    EXPECT_EQ(room_for_lines({.calls = 1000, .lines = 8}), (Room{0, NoRoom::calls}));
    EXPECT_EQ(room_for_lines({.calls = 1, .lines = 7}), (Room{0, NoRoom::calls}));
}

TEST(RoomForLines, NoLineBeginsWhileACallWaitsForAReplica) {
    EXPECT_EQ(room_for_lines({.held = 1}), (Room{0, NoRoom::held}));
}

TEST(RoomForLines, AnEngineThatTellsItIsFullGetsNone) {
    EXPECT_EQ(room_for_lines({.engine_calls_waiting = 1}), (Room{0, NoRoom::engine_queue}));
    EXPECT_EQ(room_for_lines({.cache_used_share = 0.95}), (Room{0, NoRoom::engine_cache}));
    EXPECT_EQ(
        room_for_lines({.cache_used_share = 0.5, .engine_calls_waiting = 0}),
        (Room{kLinesPerEndpoint, NoRoom::none})
    );
}

}  // namespace
}  // namespace penstock::batches
