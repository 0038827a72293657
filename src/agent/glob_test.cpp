// SPDX-License-Identifier: Apache-2.0
#include "agent/glob.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace penstock::agent {
namespace {

namespace fs = std::filesystem;

class Tree {
  public:
    explicit Tree(const std::vector<std::string>& files) {
        for (const std::string& file : files) {
            fs::create_directories((root_ / file).parent_path());
            std::ofstream(root_ / file) << file;
        }
    }
    ~Tree() { fs::remove_all(root_); }
    const fs::path& root() const { return root_; }
    std::string matches(std::string_view pattern) const {
        const Result<GlobResult> result = glob(root_.string(), pattern);
        if (!result) return to_string(result.error());
        std::string text;
        for (const std::string& file : result->files) text += file + " ";
        for (const std::string& file : result->skipped) text += "(" + file + ") ";
        return text;
    }

  private:
    static fs::path make() {
        std::string name = (fs::temp_directory_path() / "penstock-glob-XXXXXX").string();
        return mkdtemp(name.data());
    }
    fs::path root_ = make();
};

TEST(Glob, MatchesWithinOneSegment) {
    EXPECT_TRUE(glob_match("out/*.png", "out/frame-001.png"));
    EXPECT_FALSE(glob_match("out/*.png", "out/deep/frame.png"));
    EXPECT_FALSE(glob_match("out/*.png", "out/.hidden.png"));
    EXPECT_TRUE(glob_match("out/.*.png", "out/.hidden.png"));
    EXPECT_TRUE(glob_match("f-??.[ch]", "f-10.c"));
    EXPECT_FALSE(glob_match("f-[!0-9]", "f-1"));
    EXPECT_TRUE(glob_match("a[b", "a[b"));
}

TEST(Glob, CrossesSegmentsWithTwoStars) {
    EXPECT_TRUE(glob_match("out/**/m.json", "out/m.json"));
    EXPECT_TRUE(glob_match("out/**/m.json", "out/a/b/m.json"));
    EXPECT_FALSE(glob_match("out/**/m.json", "in/a/m.json"));
    EXPECT_TRUE(glob_match("**", "a/b/c"));
}

TEST(Glob, EndsOnManyStars) {
    const std::string name(200, 'a');

    EXPECT_FALSE(glob_match("*a*a*a*a*a*a*a*a*a*a*a*a*b", name));
}

TEST(Glob, FindsFilesOfATree) {
    const Tree tree({"out/a.png", "out/b.png", "out/sub/c.png", "other/d.png", "top.txt"});

    EXPECT_EQ(tree.matches("out/*.png"), "out/a.png out/b.png ");
    EXPECT_EQ(tree.matches("/out/**/*.png"), "out/a.png out/b.png out/sub/c.png ");
    EXPECT_EQ(tree.matches("*.txt"), "top.txt ");
    EXPECT_EQ(tree.matches("absent/*"), "");
}

TEST(Glob, TakesEverythingBelowADirectory) {
    const Tree tree({"out/a.png", "out/sub/c.png", "out/sub/.state"});

    EXPECT_EQ(tree.matches("out"), "out/a.png out/sub/.state out/sub/c.png ");
    EXPECT_EQ(tree.matches("out/s*"), "out/sub/.state out/sub/c.png ");
}

TEST(Glob, FollowsNoLink) {
    const Tree tree({"out/a.png"});
    fs::create_symlink("/etc", tree.root() / "out" / "etc");
    fs::create_symlink("/etc/passwd", tree.root() / "out" / "passwd");
    fs::create_symlink("/etc", tree.root() / "leak");

    EXPECT_EQ(tree.matches("out"), "out/a.png (out/etc) (out/passwd) ");
    EXPECT_EQ(tree.matches("leak/passwd"), "");
}

TEST(Glob, RefusesToLeaveTheDirectory) {
    EXPECT_EQ(
        to_string(normal_pattern("out/../../etc/passwd").error()),
        "invalid_argument: pattern 'out/../../etc/passwd' leaves the work directory; write it "
        "without '..'"
    );
    EXPECT_EQ(normal_pattern("/./out//a").value(), "out/a");
    EXPECT_FALSE(normal_pattern("/").has_value());
}

}  // namespace
}  // namespace penstock::agent
