// SPDX-License-Identifier: Apache-2.0
#include "agent/log_window.h"

#include <gtest/gtest.h>

namespace penstock::agent {
namespace {

TEST(LogWindow, KeepsAFewChunksInFlight) {
    LogWindow window({});
    for (std::int64_t i = 1; i <= 4; ++i) window.passed({i * 10, i * 1000});
    EXPECT_TRUE(window.full());

    window.acknowledged(20);

    EXPECT_FALSE(window.full());
    EXPECT_EQ(window.stored(), (LogPosition{20, 2000}));
    EXPECT_EQ(window.next(), (LogPosition{40, 4000}));
}

TEST(LogWindow, IsNotMovedByHalfAChunk) {
    LogWindow window({});
    window.passed({10, 1000});

    window.acknowledged(5);

    EXPECT_EQ(window.stored(), (LogPosition{0, 0}));
    EXPECT_FALSE(window.drained());
}

TEST(LogWindow, SkipsWhatTheServerHasAlready) {
    LogWindow window({});
    window.passed({10, 1000});
    window.acknowledged(25);

    EXPECT_EQ(window.known(10), 10);
    window.passed({20, 2000});
    EXPECT_EQ(window.stored(), (LogPosition{20, 2000}));
    EXPECT_EQ(window.known(10), 5);
    window.passed({30, 3000});

    EXPECT_FALSE(window.drained());
    window.acknowledged(30);
    EXPECT_TRUE(window.drained());
}

TEST(LogWindow, StartsAgainForAServerThatLostLines) {
    LogWindow window({50, 5000});
    window.passed({60, 6000});

    window.acknowledged(20);

    EXPECT_EQ(window.next(), (LogPosition{0, 0}));
    EXPECT_EQ(window.known(30), 20);
}

}  // namespace
}  // namespace penstock::agent
