// SPDX-License-Identifier: Apache-2.0
// Usage records of a Store against a list that a person can check. Runs once per engine.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/random.h"
#include "storage/connection.h"
#include "storage/schema.h"
#include "storage/store.h"
#include "storage/test_databases.h"

namespace penstock::storage {
namespace {

class UsageConformance : public testing::TestWithParam<Engine> {
  protected:
    void SetUp() override {
        url_ = databases_.fresh_url(GetParam());
        if (url_.empty())
            GTEST_SKIP() << "PostgreSQL's server binaries are not installed (postgresql-15)";
        reopen();
    }
    void reopen() {
        store_.reset();
        Result<std::unique_ptr<Store>> opened = open(url_);
        ASSERT_TRUE(opened) << opened.error().message;
        store_ = *std::move(opened);
    }
    // A way around the Store, as a person with a database shell has it.
    std::unique_ptr<Connection> shell() {
        const bool sqlite = GetParam() == Engine::sqlite;
        return *Connection::open(
            {GetParam(), "shell", {}}, sqlite ? "dbname=\"" + url_.substr(9) + "\" timeout=5" : url_
        );
    }
    // All pages of the filter, one after another: "id id | id …".
    std::string walk(UsageFilter filter) {
        std::string text;
        for (bool more = true; more;) {
            const Result<Page<AppendUsage>> page = store_->usage(filter);
            if (!page) return page.error().message;
            for (const AppendUsage& row : page->rows) text += row.id + " ";
            more = page->more;
            if (more) text += "| ";
            if (!page->rows.empty()) filter.before_id = page->rows.back().id;
        }
        return text;
    }

    TestDatabases databases_;
    std::string url_;
    std::unique_ptr<Store> store_;
};

// What walk() is to give, from rows in memory.
std::string expected_walk(std::vector<AppendUsage> rows, const UsageFilter& filter) {
    std::erase_if(rows, [&](const AppendUsage& row) {
        return (!filter.tenant.empty() && row.tenant != filter.tenant) ||
               (!filter.provider.empty() && row.provider != filter.provider) ||
               (!filter.before_id.empty() && row.id >= filter.before_id);
    });
    std::ranges::sort(rows, std::greater(), &AppendUsage::id);
    std::string text;
    for (std::size_t i = 0; i < rows.size(); ++i)
        text += (i > 0 && i % filter.limit == 0 ? "| " : "") + rows[i].id + " ";
    return text;
}

std::vector<AppendUsage> random_rows(SeededRandom& random, std::size_t count) {
    std::vector<AppendUsage> rows;
    for (std::size_t i = 0; i < count; ++i)
        rows.push_back(
            {.id = fmt::format("us_{:06}{}", random.below(100'000), i),
             .ts = Time(Duration(static_cast<std::int64_t>(random.below(1'000)))),
             .tenant = fmt::format("t{}", random.below(3)),
             .provider = fmt::format("p{}", random.below(3)),
             .subject = "call/x",
             .body = "{}"}
        );
    return rows;
}

TEST_P(UsageConformance, PagesAndCountsAreThoseOfAListInMemory) {
    SeededRandom random(11);
    const std::vector<AppendUsage> rows = random_rows(random, 400);
    for (std::size_t first = 0; first < rows.size(); first += 50) {
        Batch batch;
        for (std::size_t i = first; i < first + 50; ++i) batch.add(rows[i]);
        ASSERT_TRUE(store_->commit(batch));
    }
    reopen();

    for (int round = 0; round < 60; ++round) {
        const std::vector<std::string> tenants = {"", "t0", "t1", "t9"};
        const std::vector<std::string> providers = {"", "", "p1", "p2"};
        const UsageFilter filter{
            .tenant = tenants[random.below(4)],
            .provider = providers[random.below(4)],
            .before_id = random.below(2) == 0 ? "" : rows[random.below(rows.size())].id,
            .limit = 1 + random.below(150)
        };
        const std::string expected = expected_walk(rows, filter);
        ASSERT_EQ(walk(filter), expected) << "round " << round;
        const auto words = std::ranges::count(expected, ' ') - std::ranges::count(expected, '|');
        ASSERT_EQ(*store_->count_usage(filter), words) << "round " << round;
    }
}

TEST_P(UsageConformance, TellsWhichIdsAreThere) {
    Batch batch;
    std::vector<std::string> asked;
    std::set<std::string> stored;
    for (int i = 0; i < 250; ++i) {
        asked.push_back(fmt::format("us_{:03}", i));
        if (i % 3 != 0) continue;
        stored.insert(asked.back());
        batch.add(AppendUsage{.id = asked.back(), .tenant = "t", .body = "{}"});
    }
    ASSERT_TRUE(store_->commit(batch));

    EXPECT_EQ(*store_->known_usage(asked), stored);
    EXPECT_TRUE(store_->known_usage({})->empty());
}

TEST_P(UsageConformance, AnIdThatComesTwiceFailsTheBatch) {
    ASSERT_TRUE(store_->commit(Batch{{AppendUsage{.id = "us_1", .tenant = "t", .body = "{}"}}}));
    EXPECT_FALSE(store_->commit(Batch{{AppendUsage{.id = "us_1", .tenant = "t", .body = "{}"}}}));
    EXPECT_EQ(*store_->count_usage({}), 1);
}

// A database as the first schema left it.
TEST_P(UsageConformance, RowsFromBeforeTheyNamedTheirProviderGetIt) {
    store_.reset();
    const bool sqlite = GetParam() == Engine::sqlite;
    for (const std::string& statement : std::vector<std::string>{
             "DROP INDEX usage_record_by_provider", "ALTER TABLE usage_record DROP COLUMN provider",
             "DELETE FROM schema_migration WHERE number = 2",
             "INSERT INTO usage_record (id, ts, tenant, subject, body) "
             "VALUES ('us_1', 1, 't', 's', '{\"provider_id\": \"og_p\"}')"
         }) {
        const Result<void> done = shell()->execute(statement);
        ASSERT_TRUE(done) << done.error().message;
    }
    reopen();

    EXPECT_EQ(walk({.provider = "og_p"}), "us_1 ");
    const Result<void> changed = shell()->execute("UPDATE usage_record SET subject = 'x'");
    ASSERT_FALSE(changed) << "usage records are append-only " << (sqlite ? "SQLite" : "PostgreSQL");
    EXPECT_NE(changed.error().message.find("append-only"), std::string::npos);
}

std::string engine_name(const testing::TestParamInfo<Engine>& info) {
    return info.param == Engine::sqlite ? "Sqlite" : "Postgresql";
}
INSTANTIATE_TEST_SUITE_P(
    Engines, UsageConformance, testing::Values(Engine::sqlite, Engine::postgresql), engine_name
);

}  // namespace
}  // namespace penstock::storage
