// SPDX-License-Identifier: Apache-2.0
#include "cli/workdir_archive.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>

namespace penstock::cli {
namespace {

namespace fs = std::filesystem;

class WorkdirArchiveTest : public testing::Test {
  protected:
    WorkdirArchiveTest() {
        char pattern[] = "/tmp/penstock-archive-XXXXXX";
        folder_ = mkdtemp(pattern);
    }
    ~WorkdirArchiveTest() override { fs::remove_all(folder_); }
    void write(const fs::path& name, const std::string& content) {
        fs::create_directories((folder_ / name).parent_path());
        std::ofstream(folder_ / name) << content;
    }
    static std::string listing(const WorkdirArchive& archive) {
        FILE* pipe = popen(("tar -tf " + archive.file.string()).c_str(), "r");
        std::string out(4096, '\0');
        out.resize(fread(out.data(), 1, out.size(), pipe));
        pclose(pipe);
        return out;
    }
    fs::path folder_;
};

TEST_F(WorkdirArchiveTest, GivesTheSameBytesForTheSameContent) {
    write("one/b.txt", "b");
    write("one/a/c.txt", "c");
    write("two/a/c.txt", "c");
    write("two/b.txt", "b");
    fs::last_write_time(
        folder_ / "two/b.txt", fs::file_time_type::clock::now() - std::chrono::hours(5)
    );
    chmod((folder_ / "two/b.txt").c_str(), 0600);

    const Result<WorkdirArchive> one = pack_workdir(folder_ / "one");
    const Result<WorkdirArchive> two = pack_workdir(folder_ / "two");

    ASSERT_TRUE(one) << to_string(one.error());
    ASSERT_TRUE(two) << to_string(two.error());
    EXPECT_EQ(one->sha256, two->sha256);
    EXPECT_EQ(listing(*one), "a/\na/c.txt\nb.txt\n");
}

TEST_F(WorkdirArchiveTest, LeavesOutWhatIsIgnored) {
    write("work/train.py", "x");
    write("work/data/big.bin", "x");
    write("work/src/cache.pyc", "x");
    write("work/src/keep.pyc", "x");
    write("work/.penstockignore", "# comment\ndata/\n*.pyc\n!keep.pyc\n");

    const Result<WorkdirArchive> archive = pack_workdir(folder_ / "work");

    ASSERT_TRUE(archive) << to_string(archive.error());
    EXPECT_EQ(listing(*archive), ".penstockignore\nsrc/\nsrc/keep.pyc\ntrain.py\n");
}

TEST_F(WorkdirArchiveTest, KeepsLinksAndExecutables) {
    write("work/run.sh", "#!/bin/sh\n");
    chmod((folder_ / "work/run.sh").c_str(), 0750);
    fs::create_symlink("run.sh", folder_ / "work/start");
    const Result<WorkdirArchive> archive = pack_workdir(folder_ / "work");
    ASSERT_TRUE(archive) << to_string(archive.error());
    FILE* pipe =
        popen(("tar -tvf " + archive->file.string() + " --numeric-owner --utc").c_str(), "r");
    std::string out(4096, '\0');
    out.resize(fread(out.data(), 1, out.size(), pipe));
    pclose(pipe);
    EXPECT_EQ(
        out,
        "-rwxr-xr-x 0/0              10 1970-01-01 00:00 run.sh\n"
        "lrwxrwxrwx 0/0               0 1970-01-01 00:00 start -> run.sh\n"
    );
}

TEST_F(WorkdirArchiveTest, RefusesWhatIsNoFile) {
    write("work/a", "x");
    ASSERT_EQ(mkfifo((folder_ / "work/pipe").c_str(), 0600), 0);
    const Result<WorkdirArchive> archive = pack_workdir(folder_ / "work");
    EXPECT_EQ(
        to_string(archive.error()),
        "invalid_argument: workdir: " + (folder_ / "work/pipe").string() +
            ": is no file, folder or link: name it in .penstockignore"
    );
}

TEST_F(WorkdirArchiveTest, NamesTheLargestFileOfAFolderThatIsTooLarge) {
    write("work/small", "x");
    std::ofstream(folder_ / "work/huge").close();
    fs::resize_file(folder_ / "work/huge", (std::uintmax_t{1} << 30) + 1);  // a hole: takes no disk
    const Result<WorkdirArchive> archive = pack_workdir(folder_ / "work");
    ASSERT_FALSE(archive);
    EXPECT_TRUE(archive.error().message.contains("the largest file is huge with 1GiB"))
        << archive.error().message;
}

TEST_F(WorkdirArchiveTest, RemovesItsFileWhenItIsGone) {
    write("work/a", "x");
    fs::path file;
    {
        const Result<WorkdirArchive> archive = pack_workdir(folder_ / "work");
        ASSERT_TRUE(archive);
        file = archive->file;
        EXPECT_TRUE(fs::exists(file));
    }
    EXPECT_FALSE(fs::exists(file));
}

TEST(IgnoreRules, MatchPathsFromTheTopAndNamesAnywhere) {
    const IgnoreRules rules = IgnoreRules::parse("/build\nnode_modules/\ndocs/*.md\n");
    EXPECT_TRUE(rules.ignores("build", true));
    EXPECT_TRUE(rules.ignores("web/node_modules", true));
    EXPECT_FALSE(rules.ignores("web/node_modules", false));
    EXPECT_TRUE(rules.ignores("docs/a.md", false));
    EXPECT_FALSE(rules.ignores("docs/deep/a.md", false));
    EXPECT_FALSE(rules.ignores("src/build", true));
}

}  // namespace
}  // namespace penstock::cli
