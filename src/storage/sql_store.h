// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "base/guarded.h"
#include "storage/connection.h"
#include "storage/schema.h"
#include "storage/store.h"

namespace penstock::storage {

// Keeps a second process away from the same SQLite file: flock, which ends with the process.
class OwnerLock {
  public:
    static Result<std::unique_ptr<OwnerLock>> take(const std::string& path);
    ~OwnerLock();
    OwnerLock(const OwnerLock&) = delete;
    OwnerLock& operator=(const OwnerLock&) = delete;

  private:
    explicit OwnerLock(int descriptor) : descriptor_(descriptor) {}
    int descriptor_;
};

// The one Store: both engines run the same statements, generated from the tables' descriptions.
// Only connecting and locking differ (sqlite.cpp, postgresql.cpp).
class SqlStore final : public Store {
  public:
    // `lock` is null for PostgreSQL: there the writer's session holds an advisory lock.
    SqlStore(
        Place place, std::unique_ptr<OwnerLock> lock, std::unique_ptr<Connection> writer,
        std::unique_ptr<Connection> reader
    );
    // Brings the schema up to date and starts a new owner epoch. Before any other call.
    Result<void> take_over();

    Result<void> load(Visitor& visitor, LoadScope scope) override;
    Result<void> commit(const Batch& batch) override;
    Result<Page<AppendEvent>> events(const EventFilter& filter) override;
    Result<std::int64_t> count_events(const EventFilter& filter) override;
    Result<std::int64_t> last_event_seq() override;
    Result<Page<AppendUsage>> usage(const UsageFilter& filter) override;
    Result<std::int64_t> count_usage(const UsageFilter& filter) override;
    Result<std::set<std::string>> known_usage(const std::vector<std::string>& ids) override;
    std::string describe() const override { return place_.url; }

  private:
    struct Buffers;
    Result<void> migrate();
    Result<void> apply(const Migration& migration);
    Result<void> check_applied(const std::vector<Migration>& known, std::int64_t& newest);
    Result<void> write(Buffers& buffers);
    void roll_back();
    Result<void> check_epoch();
    Result<std::int64_t> count(
        TableId id, const std::string& condition, const std::vector<Connection::Bound>& bound
    );
    Result<void> load_table(TableId id, Visitor& visitor);
    Result<void> read(
        const std::string& sql, const std::vector<Connection::Bound>& bound, std::size_t rows_max,
        RowBuffer& out
    );

    Place place_;
    std::unique_ptr<OwnerLock> lock_;  // outlives the connections
    std::unique_ptr<Connection> writer_;
    std::int64_t epoch_ = 0;
    Mutex reader_mutex_;
    std::unique_ptr<Connection> reader_ GUARDED_BY(reader_mutex_);
};

Result<std::unique_ptr<Store>> open_sqlite(std::string_view url, const OpenOptions& options);
Result<std::unique_ptr<Store>> open_postgresql(std::string_view url);

}  // namespace penstock::storage
