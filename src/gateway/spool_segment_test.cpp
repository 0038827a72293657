// SPDX-License-Identifier: Apache-2.0
#include "gateway/spool_segment.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

namespace penstock::gateway {
namespace {

namespace fs = std::filesystem;

struct SegmentTest : ::testing::Test {
    fs::path folder;
    fs::path path;
    SegmentTest() {
        std::string pattern = (fs::temp_directory_path() / "penstock-segment-XXXXXX").string();
        folder = ::mkdtemp(pattern.data());
        path = folder / "0000000001.spool";
    }
    ~SegmentTest() override { fs::remove_all(folder); }
    std::string text() const {
        std::ifstream file(path, std::ios::binary);
        return (std::stringstream() << file.rdbuf()).str();
    }
};

TEST_F(SegmentTest, WhatWasAppendedIsInTheFileAtOnce) {
    SpoolSegment segment = *SpoolSegment::create(path);

    EXPECT_EQ(segment.append("one "), 4U);
    EXPECT_EQ(segment.append("two"), 3U);

    EXPECT_EQ(text(), "one two");
    EXPECT_EQ(segment.size(), 7U);
}

TEST_F(SegmentTest, IsClosedAtTheEnd) {
    SpoolSegment segment = *SpoolSegment::create(path);
    segment.append("one");

    segment.finish();

    EXPECT_EQ(text(), "one");
    EXPECT_LT(segment.file(), 0);
}

TEST_F(SegmentTest, MovesWithItsFile) {
    SpoolSegment segment = *SpoolSegment::create(path);
    segment.append("one");
    SpoolSegment other = *SpoolSegment::create(folder / "0000000002.spool");

    other = std::move(segment);
    other.append("two");
    other.finish();

    EXPECT_EQ(text(), "onetwo");
    EXPECT_EQ(fs::file_size(folder / "0000000002.spool"), 0U);
}

TEST_F(SegmentTest, ANameThatIsTakenIsRefused) {
    const SpoolSegment segment = *SpoolSegment::create(path);

    EXPECT_FALSE(SpoolSegment::create(path).has_value());
}

TEST(SpoolSegment, FindsTheEndBeforeZeros) {
    using namespace std::string_literals;

    EXPECT_EQ(SpoolSegment::text_end("a\0b\0\0"s), 3U);
    EXPECT_EQ(SpoolSegment::text_end("ab"), 2U);
    EXPECT_EQ(SpoolSegment::text_end("\0\0"s), 0U);
    EXPECT_EQ(SpoolSegment::text_end(""), 0U);
}

}  // namespace
}  // namespace penstock::gateway
