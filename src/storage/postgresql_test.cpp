// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "storage/connection.h"
#include "storage/recorder.h"
#include "storage/store.h"
#include "storage/test_databases.h"

namespace penstock::storage {
namespace {

class Postgresql : public testing::Test {
  protected:
    static void SetUpTestSuite() { cluster = PostgresqlCluster::start(); }
    static void TearDownTestSuite() { cluster.reset(); }
    void SetUp() override {
        if (!cluster)
            GTEST_SKIP() << "PostgreSQL's server binaries are not installed (postgresql-15)";
        url_ = cluster->new_database();
    }
    static std::unique_ptr<Connection> shell(const std::string& url) {
        return *Connection::open({Engine::postgresql, "shell", {}}, url);
    }

    inline static std::unique_ptr<PostgresqlCluster> cluster;
    std::string url_;
};

TEST_F(Postgresql, ABrokenConnectionFailsTheCommitAndEveryLaterOne) {
    const auto store = *open(url_);
    ASSERT_TRUE(store->commit({{PutEntity{"task", "a", "{}", 1}}}));
    ASSERT_TRUE(
        shell(url_)->integer("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                             "WHERE datname = current_database() AND pid <> pg_backend_pid()")
    );

    EXPECT_EQ(
        store->commit({{PutEntity{"task", "b", "{}", 1}}}).error().code, ErrorCode::unavailable
    );
    EXPECT_EQ(
        store->commit({{PutEntity{"task", "c", "{}", 1}}}).error().code, ErrorCode::unavailable
    );

    const auto again = *open(url_);
    Recorder recorder;
    ASSERT_TRUE(again->load(recorder));
    ASSERT_EQ(recorder.entities.size(), 1U);
    EXPECT_EQ(recorder.entities[0].id, "a");
}

TEST_F(Postgresql, RefusesAServerThatIsNotThere) {
    const auto store = open("postgresql://penstock:secret@/none?host=/nowhere");
    ASSERT_FALSE(store);
    EXPECT_EQ(store.error().code, ErrorCode::unavailable);
    EXPECT_EQ(store.error().message.find("secret"), std::string::npos) << store.error().message;
}

TEST_F(Postgresql, NeverShowsThePassword) {
    const std::string with_password =
        fmt::format("postgresql://penstock:s3:cr@t@{}", url_.substr(url_.find('@') + 1));
    const auto store = open(with_password);
    ASSERT_TRUE(store) << store.error().message;
    EXPECT_EQ(
        (*store)->describe(),
        "postgresql://penstock@" +
            url_.substr(url_.find('@') + 1, url_.find('?') - url_.find('@') - 1)
    );
}

TEST_F(Postgresql, RefusesADatabaseOfAnotherEncoding) {
    const auto store = open(cluster->new_database("SQL_ASCII"));
    ASSERT_FALSE(store);
    EXPECT_NE(
        store.error().message.find("create the database with ENCODING 'UTF8'"), std::string::npos
    );
}

TEST_F(Postgresql, CommitsDurablyWhereTheDatabaseWouldNot) {
    ASSERT_TRUE(shell(url_)->execute(fmt::format(
        "ALTER DATABASE {} SET synchronous_commit = off",
        url_.substr(url_.find("@/") + 2, url_.find('?') - url_.find("@/") - 2)
    )));
    const auto store = *open(url_);
    const auto watcher = shell(url_);
    EXPECT_EQ(*watcher->text("SHOW synchronous_commit"), "off");
    ASSERT_TRUE(store->commit({{PutEntity{"task", "a", "{}", 1}}}));
}

}  // namespace
}  // namespace penstock::storage
