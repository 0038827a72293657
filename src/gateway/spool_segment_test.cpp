// SPDX-License-Identifier: Apache-2.0
#include "gateway/spool_segment.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

namespace penstock::gateway {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kRoom = 10'000;

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
    SpoolSegment segment = *SpoolSegment::create(path, kRoom);

    EXPECT_EQ(segment.append("one "), 4U);
    EXPECT_EQ(segment.append("two"), 3U);

    const std::string read = text();
    EXPECT_EQ(read.substr(0, SpoolSegment::text_end(read)), "one two");
    EXPECT_EQ(segment.size(), 7U);
}

TEST_F(SegmentTest, HoldsMoreThanWasLaidOut) {
    SpoolSegment segment = *SpoolSegment::create(path, kRoom);
    const std::string most(kRoom - 3, 'a');

    EXPECT_EQ(segment.append(most), most.size());
    EXPECT_EQ(segment.append("beyond"), 6U);
    EXPECT_EQ(segment.append("after"), 5U);
    segment.finish();

    EXPECT_EQ(text(), most + "beyondafter");
}

TEST_F(SegmentTest, IsCutToItsSizeAtTheEnd) {
    SpoolSegment segment = *SpoolSegment::create(path, kRoom);
    segment.append("one");

    segment.finish();

    EXPECT_EQ(text(), "one");
    EXPECT_LT(segment.file(), 0);
}

TEST_F(SegmentTest, MovesWithItsFile) {
    SpoolSegment segment = *SpoolSegment::create(path, kRoom);
    segment.append("one");
    SpoolSegment other = *SpoolSegment::create(folder / "0000000002.spool", kRoom);

    other = std::move(segment);
    other.append("two");
    other.finish();

    EXPECT_EQ(text(), "onetwo");
    EXPECT_EQ(fs::file_size(folder / "0000000002.spool"), 0U);
}

TEST_F(SegmentTest, ANameThatIsTakenIsRefused) {
    const SpoolSegment segment = *SpoolSegment::create(path, kRoom);

    EXPECT_FALSE(SpoolSegment::create(path, kRoom).has_value());
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
