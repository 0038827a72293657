// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <set>

#include "tasks/board.h"

namespace penstock::simulation {

// A member is active only while all others are, have succeeded, or were told to stop; and two
// of a gang never share a node.
inline void expect_gangs_to_be_whole(const tasks::Board& board) {
    for (const Attempt* attempt : board.active_attempts()) {
        const std::vector<const Attempt*> members = board.members_of(*attempt);
        ASSERT_EQ(members.size(), attempt->gang ? attempt->gang->members : 1U);
        std::set<NodeId> nodes;
        for (const Attempt* member : members) {
            nodes.insert(member->placement.node_id);
            ASSERT_EQ(member->fence, attempt->fence);
            if (attempt->state == TaskState::running) {
                ASSERT_TRUE(!member->gang || member->gang->ready || !board.is_wanted(*attempt));
            }
        }
        ASSERT_EQ(nodes.size(), members.size());
    }
}

}  // namespace penstock::simulation
