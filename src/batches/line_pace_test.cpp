// SPDX-License-Identifier: Apache-2.0
#include "batches/line_pace.h"

#include <gtest/gtest.h>

namespace penstock::batches {
namespace {

const Time kNow{std::chrono::hours(1000)};
const BatchId kOne{RawId{1, 1}};
const BatchId kTwo{RawId{1, 2}};

TEST(LinePace, ABatchTakesWhatItsLinesTookElseWhatThoseOfItsModelDid) {
    LinePace pace;
    EXPECT_EQ(pace.line_time(kOne, "m"), LinePace::kLineTimeFirst);
    EXPECT_FALSE(pace.measured(kOne, "m"));
    pace.line_ended(kOne, "m", 2s);
    pace.line_ended(kOne, "m", 4s);
    EXPECT_EQ(pace.line_time(kOne, "m"), 2200ms);
    EXPECT_EQ(pace.line_time(kTwo, "m"), 2200ms);
    EXPECT_EQ(pace.line_time(kTwo, "other"), LinePace::kLineTimeFirst);
}

TEST(LinePace, PlacesAreAMeanThatFollowsWhatIsSeen) {
    LinePace pace;
    EXPECT_EQ(pace.places("m"), 0);
    pace.places_seen("m", 8, kNow);
    EXPECT_EQ(pace.places("m"), 8);
    pace.places_seen("m", 0, kNow + LinePace::kPlacesOver);
    EXPECT_NEAR(pace.places("m"), 8 * 0.368, 0.01);
}

TEST(LinePace, ForgetsWhatHasEnded) {
    LinePace pace;
    pace.line_ended(kOne, "m", 2s);
    pace.places_seen("m", 8, kNow);
    pace.keep_only({}, {});
    EXPECT_EQ(pace.places("m"), 0);
    EXPECT_EQ(pace.line_time(kOne, "m"), 2s) << "of the model";
}

}  // namespace
}  // namespace penstock::batches
