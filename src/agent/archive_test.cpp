// SPDX-License-Identifier: Apache-2.0
#include "agent/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace penstock::agent {
namespace {

namespace fs = std::filesystem;

struct Item {
    std::string path;
    std::string content;
    unsigned type = AE_IFREG;
    std::string target;
    bool hard = false;
};

class ArchiveTest : public testing::Test {
  protected:
    ~ArchiveTest() override { fs::remove_all(root_); }

    std::string archive_of(const std::vector<Item>& items) {
        const std::string file = (root_ / "in.tar").string();
        archive* a = archive_write_new();
        archive_write_set_format_gnutar(a);
        archive_write_open_filename(a, file.c_str());
        for (const Item& item : items) {
            archive_entry* e = archive_entry_new();
            archive_entry_set_pathname(e, item.path.c_str());
            archive_entry_set_mode(e, item.type | 0755);
            archive_entry_set_size(e, static_cast<la_int64_t>(item.content.size()));
            if (!item.target.empty() && item.hard)
                archive_entry_set_hardlink(e, item.target.c_str());
            if (!item.target.empty() && !item.hard)
                archive_entry_set_symlink(e, item.target.c_str());
            archive_write_header(a, e);
            archive_write_data(a, item.content.data(), item.content.size());
            archive_entry_free(e);
        }
        archive_write_free(a);
        return file;
    }
    std::string unpacked(const std::vector<Item>& items, UnpackLimits limits = {}) {
        const Result<void> result = unpack(archive_of(items), into(), limits);
        return result ? "ok" : to_string(result.error());
    }
    std::string into() const {
        fs::create_directories(root_ / "into");
        return (root_ / "into").string();
    }
    std::string read(const std::string& path) const {
        std::ostringstream text;
        text << std::ifstream(root_ / "into" / path).rdbuf();
        return text.str();
    }
    void write(const std::string& path, const std::string& content) const {
        fs::create_directories((root_ / "from" / path).parent_path());
        std::ofstream(root_ / "from" / path) << content;
    }
    Result<HashedFile> packed(PackOptions options = {}) const {
        return pack((root_ / "from").string(), (root_ / "out.tar").string(), options);
    }

    static fs::path make() {
        std::string name = (fs::temp_directory_path() / "penstock-archive-XXXXXX").string();
        return mkdtemp(name.data());
    }
    fs::path root_ = make();
};

TEST_F(ArchiveTest, UnpacksFilesFoldersAndInnerLinks) {
    EXPECT_EQ(
        unpacked(
            {{"./", "", AE_IFDIR},
             {"./src/", "", AE_IFDIR},
             {"src/main.py", "print(1)"},
             {"deep/er/data", "x"},
             {"src/link", "", AE_IFLNK, "../deep/er/data"},
             {"hard", "", AE_IFREG, "src/main.py", true}}
        ),
        "ok"
    );

    EXPECT_EQ(read("src/main.py"), "print(1)");
    EXPECT_EQ(read("src/link"), "x");
    EXPECT_EQ(read("hard"), "print(1)");
}

TEST_F(ArchiveTest, KeepsNamesThatAreNotAscii) {
    EXPECT_EQ(unpacked({{"数据/文件.txt", "你好"}}), "ok");

    EXPECT_EQ(read("数据/文件.txt"), "你好");
}

TEST_F(ArchiveTest, RefusesPathsThatLeadOut) {
    EXPECT_EQ(
        unpacked({{"/etc/evil", "x"}}),
        "invalid_argument: the archive's entry '/etc/evil' has an absolute path; pack it without "
        "that"
    );
    EXPECT_EQ(
        unpacked({{"a/../../evil", "x"}}),
        "invalid_argument: the archive's entry '../../evil' leads out of the directory by '..'; "
        "pack it "
        "without that"
    );
    EXPECT_FALSE(fs::exists(root_ / "evil"));
}

TEST_F(ArchiveTest, RefusesLinksThatLeadOut) {
    const std::string refused = "is a link that leads out; pack it without that";

    EXPECT_TRUE(unpacked({{"l", "", AE_IFLNK, "/etc/passwd"}}).ends_with(refused));
    EXPECT_TRUE(unpacked({{"a/l", "", AE_IFLNK, "../../x"}}).ends_with(refused));
    EXPECT_TRUE(unpacked({{"l", "", AE_IFLNK, "a/../../x"}}).ends_with(refused));
    EXPECT_TRUE(unpacked({{"h", "", AE_IFREG, "../in.tar", true}}
    ).ends_with("by '..'; pack it without that"));
}

TEST_F(ArchiveTest, WritesThroughNoLink) {
    fs::create_directories(root_ / "outside");
    fs::create_directory_symlink(root_ / "outside", fs::path(into()) / "l");

    EXPECT_EQ(
        unpacked({{"l/evil", "x"}}),
        "invalid_argument: the archive's entry 'l/evil' passes through a link or a file; pack it "
        "without that"
    );
    EXPECT_FALSE(fs::exists(root_ / "outside" / "evil"));
}

TEST_F(ArchiveTest, RefusesDevices) {
    EXPECT_TRUE(unpacked({{"null", "", AE_IFCHR}}
    ).ends_with("is a device, a socket or a pipe; pack it without that"));
}

TEST_F(ArchiveTest, KeepsItsLimits) {
    EXPECT_EQ(
        unpacked({{"a", "x"}, {"b", "x"}}, {.entries_max = 1}),
        "resource_exhausted: the archive has more than 1 entries"
    );
    EXPECT_EQ(
        unpacked({{"a", std::string(3 << 20, 'x')}}, {.bytes_max = 1 << 20}),
        "resource_exhausted: the archive holds more than 1 MiB"
    );
}

TEST_F(ArchiveTest, RefusesWhatIsNoArchive) {
    std::ofstream(root_ / "in.tar")
        << "this is only text, and long enough to be looked at as a header";

    EXPECT_FALSE(unpack((root_ / "in.tar").string(), into()).has_value());
}

TEST_F(ArchiveTest, UnpacksTwiceToTheSame) {
    EXPECT_EQ(unpacked({{"a", "old"}, {"l", "", AE_IFLNK, "a"}}), "ok");
    EXPECT_EQ(unpacked({{"a", "new"}, {"l", "", AE_IFLNK, "a"}}), "ok");

    EXPECT_EQ(read("l"), "new");
}

TEST_F(ArchiveTest, PacksTheSameContentToTheSameBytes) {
    write("step-2/model.bin", std::string(300'000, 'm'));
    write("step-2/数据", "x");

    const HashedFile first = packed().value();
    const HashedFile second = packed().value();

    EXPECT_EQ(first, second);
    ASSERT_TRUE(unpack((root_ / "out.tar").string(), into()).has_value());
    EXPECT_EQ(read("step-2/model.bin"), std::string(300'000, 'm'));
    EXPECT_EQ(read("step-2/数据"), "x");
}

TEST_F(ArchiveTest, PacksOnlyWhatIsComplete) {
    write("model.bin", "1");
    write("model.bin.tmp", "half");
    write(".lock", "2");
    fs::create_symlink("model.bin", root_ / "from" / "latest");
    fs::create_symlink("/etc/passwd", root_ / "from" / "leak");

    ASSERT_TRUE(packed({.only_complete = true}).has_value());
    ASSERT_TRUE(unpack((root_ / "out.tar").string(), into()).has_value());

    EXPECT_EQ(read("latest"), "1");
    EXPECT_FALSE(fs::exists(root_ / "into" / "model.bin.tmp"));
    EXPECT_FALSE(fs::exists(root_ / "into" / ".lock"));
    EXPECT_FALSE(fs::is_symlink(root_ / "into" / "leak"));
}

TEST_F(ArchiveTest, PacksNoMoreThanCanBeStored) {
    write("model.bin", std::string(3 << 20, 'm'));

    EXPECT_EQ(
        to_string(packed({.bytes_max = 1 << 20}).error()),
        "resource_exhausted: the directory is larger than the 1 MiB that can be stored"
    );
    EXPECT_FALSE(fs::exists(root_ / "out.tar"));
}

}  // namespace
}  // namespace penstock::agent
