// SPDX-License-Identifier: Apache-2.0
#include "scheduler/start_record.h"

#include <gtest/gtest.h>

namespace penstock::scheduler {
namespace {

WaitQuantiles foretold(Duration wait) { return {.p10 = wait, .p50 = wait, .p90 = wait}; }

TEST(StartRecord, CorrectsNothingOfWhichItKnowsTooLittle) {
    StartRecord record;
    for (std::size_t i = 1; i < kStartsLeast; ++i) record.add(100s, 300s);

    EXPECT_EQ(record.corrected(foretold(100s)).p90, 100s);
}

TEST(StartRecord, WidensAndMovesTheIntervalAsItCameTrue) {
    StartRecord record;
    for (int i = 1; i <= 99; ++i) record.add(99s, std::chrono::seconds(2 * i) + 99s);

    const WaitQuantiles waits = record.corrected(foretold(99s));

    EXPECT_EQ(waits.p10, 99s + 20s);
    EXPECT_EQ(waits.p50, 99s + 100s);
    EXPECT_EQ(waits.p90, 99s + 180s);
}

TEST(StartRecord, ComparesWaitsOfOnePowerOfTen) {
    StartRecord record;
    for (std::size_t i = 0; i < kStartsKeptMax; ++i) record.add(9s, 99s);
    for (std::size_t i = 0; i < kStartsKeptMax; ++i) record.add(4999s, 4999s);

    EXPECT_EQ(record.corrected(foretold(9s)).p50, 99s);
    EXPECT_EQ(record.corrected(foretold(4999s)).p50, 4999s);
}

TEST(StartRecord, LeavesUnknownWhatIsUnknown) {
    StartRecord record;
    for (std::size_t i = 0; i < kStartsKeptMax; ++i) record.add(9s, 99s);

    EXPECT_EQ(record.corrected({.p90 = 60s, .limits_only = true}).p90, 60s);
}

}  // namespace
}  // namespace penstock::scheduler
