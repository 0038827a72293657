// SPDX-License-Identifier: Apache-2.0
#include "drivers/files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

namespace penstock::drivers {
namespace {

class Files : public testing::Test {
  protected:
    void SetUp() override { ASSERT_NE(::mkdtemp(root_.data()), nullptr); }
    void TearDown() override { EXPECT_TRUE(remove_tree(root_)); }
    std::string root_ = "/tmp/penstock-files-XXXXXX";
};

TEST_F(Files, AreReplacedWholeWithTheirMode) {
    ASSERT_TRUE(write_durably(root_ + "/a", "one"));
    ASSERT_TRUE(write_durably(root_ + "/a", "two", 0644));
    struct stat status{};
    ASSERT_EQ(::stat((root_ + "/a").c_str(), &status), 0);

    EXPECT_EQ(read_file(root_ + "/a").value(), "two");
    EXPECT_EQ(status.st_mode & 0777U, 0644U);
}

TEST_F(Files, AreMadeExclusivelyOnce) {
    ASSERT_TRUE(write_exclusively(root_ + "/claim", "first"));

    EXPECT_EQ(write_exclusively(root_ + "/claim", "second").error().code, ErrorCode::conflict);
    EXPECT_EQ(read_file(root_ + "/claim").value(), "first");
}

TEST_F(Files, AbsentIsNotFound) {
    EXPECT_EQ(read_file(root_ + "/x").error().code, ErrorCode::not_found);
}

TEST_F(Files, TreesAreRemovedWhateverTheirModesAndDepth) {
    std::string path = root_ + "/tree";
    ASSERT_EQ(::mkdir(path.c_str(), 0755), 0);
    // Deeper than a path can be long, so it is made step by step.
    int folder = ::open(path.c_str(), O_DIRECTORY);
    for (int depth = 0; depth < 300; ++depth) {
        ASSERT_EQ(::mkdirat(folder, "deeper-folder", 0755), 0);
        const int next = ::openat(folder, "deeper-folder", O_DIRECTORY);
        ::close(folder);
        folder = next;
    }
    ::close(folder);
    ASSERT_EQ(::symlink("/usr", (path + "/link").c_str()), 0);
    ASSERT_EQ(::mkdir((path + "/closed").c_str(), 0755), 0);
    ASSERT_EQ(::mkdir((path + "/closed/inner").c_str(), 0000), 0);
    ASSERT_EQ(::chmod((path + "/closed").c_str(), 0000), 0);

    const Result<void> removed = remove_tree(path);

    EXPECT_TRUE(removed) << to_string(removed.error());
    EXPECT_FALSE(exists(path));
    EXPECT_TRUE(exists("/usr"));
    EXPECT_TRUE(remove_tree(path)) << "what is absent is removed";
}

}  // namespace
}  // namespace penstock::drivers
