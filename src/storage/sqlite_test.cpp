// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <filesystem>

#include "storage/recorder.h"
#include "storage/store.h"
#include "storage/test_databases.h"

namespace penstock::storage {
namespace {

Batch megabyte(int number) {
    Batch batch;
    for (int i = 0; i < 16; ++i)
        batch.add(PutEntity{"blob", fmt::format("{}-{}", number, i), std::string(65'536, 'x'), 1});
    return batch;
}

// Fills the store until a commit fails; the number of batches that were acknowledged.
int fill(Store& store, Error& error) {
    for (int number = 0; number < 100; ++number) {
        const Result<void> done = store.commit(megabyte(number));
        if (done) continue;
        error = done.error();
        return number;
    }
    return -1;
}

std::size_t entities_of(const std::string& url) {
    Recorder recorder;
    const auto store = open(url);
    EXPECT_TRUE(store && (*store)->load(recorder)) << store.error().message;
    return recorder.entities.size();
}

TEST(Sqlite, AFullDatabaseFailsTheWholeCommitAndNamesTheFolder) {
    const TemporaryFolder folder;
    const std::string url = fmt::format("sqlite://{}/full.db", folder.path());
    Error error;
    int acknowledged = 0;
    {
        const auto store = open(url, {.pages_max = 1'500});
        ASSERT_TRUE(store) << store.error().message;
        acknowledged = fill(**store, error);
    }
    EXPECT_EQ(error.code, ErrorCode::resource_exhausted) << error.message;
    EXPECT_NE(
        error.message.find("the disk that holds " + folder.path() + " is full: free space there"),
        std::string::npos
    ) << error.message;
    EXPECT_GT(acknowledged, 0);
    EXPECT_EQ(entities_of(url), static_cast<std::size_t>(acknowledged) * 16);
}

TEST(Sqlite, ADiskThatIsReallyFullFailsTheSameWay) {
    const TemporaryFolder folder;
    if (::mount("penstock-test", folder.path().c_str(), "tmpfs", 0, "size=8m") != 0)
        GTEST_SKIP() << "mounting a small tmpfs needs root";
    const std::string url = fmt::format("sqlite://{}/full.db", folder.path());
    Error error;
    int acknowledged = 0;
    {
        const auto store = *open(url);
        acknowledged = fill(*store, error);
    }
    const Result<std::unique_ptr<Store>> while_full = open(url);
    ::mount("penstock-test", folder.path().c_str(), "tmpfs", MS_REMOUNT, "size=32m");
    const std::size_t kept = entities_of(url);
    ::umount(folder.path().c_str());

    EXPECT_EQ(error.code, ErrorCode::resource_exhausted) << error.message;
    EXPECT_EQ(while_full.error().code, ErrorCode::resource_exhausted) << while_full.error().message;
    EXPECT_GT(acknowledged, 0);
    EXPECT_EQ(kept, static_cast<std::size_t>(acknowledged) * 16);
}

TEST(Sqlite, OnlyTheOwnerMayReadTheFiles) {
    const TemporaryFolder folder;
    const auto store = open(fmt::format("sqlite://{}/private.db", folder.path()));
    ASSERT_TRUE((*store)->commit(megabyte(1)));
    for (const auto& file : std::filesystem::directory_iterator(folder.path())) {
        struct stat status{};
        ASSERT_EQ(::stat(file.path().c_str(), &status), 0);
        EXPECT_EQ(status.st_mode & 0777U, 0600U) << file.path();
    }
}

TEST(Sqlite, SaysWhatIsWrongWithAnUrl) {
    EXPECT_EQ(
        open("mysql://x").error().message,
        "a store's URL begins with sqlite:/// or postgresql://, not mysql://"
    );
    EXPECT_EQ(open("x").error().message, "a store's URL begins with sqlite:/// or postgresql://");
    EXPECT_EQ(
        open("sqlite://relative.db").error().message,
        "'sqlite://relative.db' names no file: write sqlite:///absolute/path/penstock.db"
    );
    EXPECT_EQ(
        open("sqlite:///nowhere/at/all/x.db").error().message,
        "cannot open /nowhere/at/all/x.db.lock: No such file or directory; check that the "
        "directory exists and that this user may write there"
    );
}

TEST(Sqlite, AFileThatIsNoDatabaseIsRefused) {
    const TemporaryFolder folder;
    const std::string path = folder.path() + "/text.db";
    std::FILE* file = std::fopen(path.c_str(), "w");
    std::fputs(std::string(4'096, 'x').c_str(), file);
    std::fclose(file);
    const auto store = open("sqlite://" + path);
    ASSERT_FALSE(store);
    EXPECT_NE(store.error().message.find("not a database"), std::string::npos)
        << store.error().message;
}

TEST(Sqlite, APathMayHoldSpacesAndSigns) {
    const TemporaryFolder folder;
    const std::string url = fmt::format("sqlite://{}/a b=c; 算'力.db", folder.path());
    {
        const auto store = open(url);
        ASSERT_TRUE(store) << store.error().message;
        ASSERT_TRUE((*store)->commit(megabyte(1)));
        EXPECT_EQ((*store)->describe(), url);
    }
    EXPECT_TRUE(std::filesystem::exists(folder.path() + "/a b=c; 算'力.db"));
    EXPECT_EQ(entities_of(url), 16U);
}

}  // namespace
}  // namespace penstock::storage
