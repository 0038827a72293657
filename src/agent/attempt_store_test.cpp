// SPDX-License-Identifier: Apache-2.0
#include "agent/attempt_store.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace penstock::agent {
namespace {

namespace fs = std::filesystem;

class AttemptStoreTest : public testing::Test {
  protected:
    ~AttemptStoreTest() override { fs::remove_all(root_); }
    static AttemptRecord record(std::uint64_t number, std::int64_t seq) {
        AttemptRecord made;
        made.attempt_id = AttemptId(RawId{1, number});
        AttemptReport report;
        report.attempt_id = made.attempt_id;
        report.seq = seq;
        made.reports.push_back(report);
        return made;
    }
    static fs::path make() {
        std::string name = (fs::temp_directory_path() / "penstock-store-XXXXXX").string();
        return mkdtemp(name.data());
    }
    fs::path root_ = make();
    std::vector<std::string> warnings_;
};

TEST_F(AttemptStoreTest, FindsWhatWasSaved) {
    {
        AttemptStore store = AttemptStore::open(root_ / "state").value();
        ASSERT_TRUE(store.save(record(2, 7)).has_value());
        ASSERT_TRUE(store.save(record(1, 3)).has_value());
        ASSERT_TRUE(store.save(record(3, 4)).has_value());
        ASSERT_TRUE(store.remove(record(3, 4).attempt_id).has_value());
    }
    AttemptStore store = AttemptStore::open(root_ / "state").value();

    EXPECT_EQ(store.load(warnings_).value(), (std::vector{record(1, 3), record(2, 7)}));
    EXPECT_TRUE(warnings_.empty());
}

TEST_F(AttemptStoreTest, NeverGivesOutANumberAgain) {
    {
        AttemptStore store = AttemptStore::open(root_ / "state").value();
        EXPECT_EQ(store.sequence(), 0);
        ASSERT_TRUE(store.save(record(1, 2000)).has_value());
        ASSERT_TRUE(store.remove(record(1, 2000).attempt_id).has_value());
    }
    EXPECT_GE(AttemptStore::open(root_ / "state").value().sequence(), 2000);
}

TEST_F(AttemptStoreTest, RefusesASecondAgent) {
    const AttemptStore store = AttemptStore::open(root_ / "state").value();

    EXPECT_EQ(AttemptStore::open(root_ / "state").error().code, ErrorCode::conflict);
}

TEST_F(AttemptStoreTest, SetsAnUnreadableRecordAside) {
    AttemptStore store = AttemptStore::open(root_ / "state").value();
    ASSERT_TRUE(store.save(record(1, 3)).has_value());
    std::ofstream(root_ / "state/attempts/at_x.json") << "{half";

    EXPECT_EQ(store.load(warnings_).value().size(), 1U);
    EXPECT_EQ(warnings_.size(), 1U);
    EXPECT_TRUE(fs::exists(root_ / "state/attempts/at_x.json.unreadable"));
}

TEST_F(AttemptStoreTest, KeepsOthersFromReadingSecrets) {
    const AttemptStore store = AttemptStore::open(root_ / "state").value();

    EXPECT_EQ(fs::status(root_ / "state").permissions(), fs::perms::owner_all);
}

}  // namespace
}  // namespace penstock::agent
