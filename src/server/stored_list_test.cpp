// SPDX-License-Identifier: Apache-2.0
#include "server/stored_list.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace penstock::server {
namespace {

// A store in a new file with `count` usages and events of each of two organisations.
class StoredList : public testing::Test {
  protected:
    StoredList() {
        std::filesystem::remove_all(folder_);
        std::filesystem::create_directories(folder_);
        store_ = *storage::open("sqlite://" + (folder_ / "store.db").string());
        storage::Batch batch;
        for (std::uint64_t n = 1; n <= kCount; ++n) {
            const std::string tenant = n % 2 == 0 ? "og_a" : "og_b";
            batch.add(storage::AppendUsage{
                .id = id(n), .tenant = tenant, .provider = "og_p", .body = body(n)
            });
            batch.add(storage::AppendEvent{
                static_cast<std::int64_t>(n), Time(), "task/x", "t", tenant, body(n)
            });
        }
        EXPECT_TRUE(store_->commit(batch));
    }
    ~StoredList() override {
        store_.reset();
        std::filesystem::remove_all(folder_);
    }

    static constexpr std::uint64_t kCount = 1200;
    static std::string id(std::uint64_t n) { return to_string(UsageId(RawId{1, n})); }
    static std::string body(std::uint64_t n) {
        return R"({"n":)" + std::to_string(n) + R"(,"kind":")" + (n % 10 == 0 ? "task" : "tokens") +
               "\"}";
    }
    // "bodies' n… | next | total"
    static std::string shown(StoredRows& rows, const ListQuery& query) {
        const Result<StoredPage> page = stored_page(query, rows);
        if (!page) return to_string(page.error());
        std::string text;
        for (const std::string& each : page->bodies)
            text += each.substr(5, each.find(',') - 5) + " ";
        return text + "| " + (page->next_page_token ? "more" : "end") + " | " +
               std::to_string(page->total);
    }

    std::filesystem::path folder_ = std::filesystem::temp_directory_path() /
                                    ("penstock-stored-list-" + std::to_string(::getpid()));
    std::unique_ptr<storage::Store> store_;
};

TEST_F(StoredList, BillsComeNewestFirstAndGoOnBehindTheToken) {
    UsageRows rows(*store_, {.tenant = "og_a"});

    EXPECT_EQ(shown(rows, {.size = 3}), "1200 1198 1196 | more | 600");
    EXPECT_EQ(shown(rows, {.size = 3, .token = id(1196)}), "1194 1192 1190 | more | 600");
    EXPECT_EQ(shown(rows, {.size = 3, .token = id(6)}), "4 2 | end | 600");
}

TEST_F(StoredList, EventsComeOldestFirstBehindSince) {
    EventRows rows(*store_, {.after_seq = 1000, .tenant = "og_a"});

    EXPECT_EQ(shown(rows, {.size = 2}), "1002 1004 | more | 100");
    EXPECT_EQ(shown(rows, {.size = 2, .token = "1196"}), "1198 1200 | end | 100");
    EXPECT_EQ(
        shown(rows, {.terms = {{"kind", "task"}}, .order = "n", .descending = true, .size = 2}),
        "1200 1190 | more | 20"
    );
}

TEST_F(StoredList, ATokenOfAnotherListIsRefused) {
    const std::string refused =
        "invalid_argument: page_token: is not known any more: start again without it";
    UsageRows bills(*store_, {.tenant = "og_a"});
    EventRows events(*store_, {.after_seq = 10, .tenant = "og_a"});

    EXPECT_EQ(shown(bills, {.token = id(3)}), refused);
    EXPECT_EQ(shown(bills, {.token = "nonsense"}), refused);
    EXPECT_EQ(shown(bills, {.terms = {{"kind", "task"}}, .token = id(12)}), refused);
    EXPECT_EQ(shown(events, {.token = "8"}), refused);
    EXPECT_EQ(shown(events, {.token = "x"}), refused);
}

}  // namespace
}  // namespace penstock::server
