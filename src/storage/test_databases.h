// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "storage/table.h"

namespace penstock::storage {

// A new folder under the system's temporary one, removed with all in it at the end.
class TemporaryFolder {
  public:
    TemporaryFolder();
    ~TemporaryFolder();
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    const std::string& path() const { return path_; }

  private:
    std::string path_;
};

// A private PostgreSQL server on a Unix socket in its own folder, as user postgres where we are
// root.
class PostgresqlCluster {
  public:
    // Null where the server's binaries are not installed.
    static std::unique_ptr<PostgresqlCluster> start();
    ~PostgresqlCluster();
    PostgresqlCluster(const PostgresqlCluster&) = delete;
    PostgresqlCluster& operator=(const PostgresqlCluster&) = delete;
    // "postgresql://…" of a new, empty database.
    std::string new_database(const std::string& encoding = "UTF8");

  private:
    PostgresqlCluster() = default;
    std::string url(const std::string& database) const;
    TemporaryFolder folder_;
    pid_t server_ = -1;
    int databases_ = 0;
};

// The URL of an empty store of its own for each test; one cluster serves a whole test program.
class TestDatabases {
  public:
    // Empty where the engine is missing.
    std::string fresh_url(Engine engine);

  private:
    std::unique_ptr<TemporaryFolder> folder_;
    int files_ = 0;
};

}  // namespace penstock::storage
