// SPDX-License-Identifier: Apache-2.0
#include "agent/work_files.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace penstock::agent {
namespace {

struct WorkFilesFixture {
    std::filesystem::path folder = std::filesystem::temp_directory_path() / "penstock-work-files";
    std::string work = (folder / "work").string();

    WorkFilesFixture() {
        std::filesystem::remove_all(folder);
        std::filesystem::create_directories(work);
    }
    ~WorkFilesFixture() { std::filesystem::remove_all(folder); }
    std::string file(const std::string& text) const {
        std::ofstream(folder / "scratch") << text;
        return (folder / "scratch").string();
    }
    std::string read(const std::string& relative) const {
        std::ostringstream text;
        text << std::ifstream(work + "/" + relative).rdbuf();
        return text.str();
    }
};

TEST(WorkFiles, PlaceAFileBelowTheWorkDirectoryAndReplaceWhatIsThere) {
    const WorkFilesFixture f;

    EXPECT_TRUE(place_file(f.work, "in/model/a.bin", f.file("first")));
    EXPECT_TRUE(place_file(f.work, "in/model/a.bin", f.file("second")));
    EXPECT_TRUE(place_file(f.work, "top", f.file("third")));

    EXPECT_EQ(f.read("in/model/a.bin"), "second");
    EXPECT_EQ(f.read("top"), "third");
}

TEST(WorkFiles, PlaceNothingOutsideOfTheWorkDirectory) {
    const WorkFilesFixture f;
    std::filesystem::create_directory_symlink(f.folder, f.work + "/link");

    for (const char* path :
         {"../out", "in/../../out", "/out", "in//out", "in/", "", ".", "link/out"})
        EXPECT_FALSE(place_file(f.work, path, f.file("x"))) << path;

    EXPECT_FALSE(std::filesystem::exists(f.folder / "out"));
}

}  // namespace
}  // namespace penstock::agent
