// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "ledger/ledger.h"
#include "ledger/rating.h"

namespace penstock::storage {

constexpr std::size_t kBatchRowsMax = 8'190;
constexpr std::size_t kEventPageMax = 1'000;
constexpr std::size_t kUsagePageMax = 1'000;
// How long open() waits for a dead owner's PostgreSQL session to end.
constexpr std::chrono::seconds kOwnerWaitMax{5};
constexpr std::chrono::seconds kStatementTimeMax{60};  // PostgreSQL; then the statement fails

// A platform noun (task, site, node, key …) as JSON text under its kind and id.
struct PutEntity {
    std::string kind = {};
    std::string id = {};
    std::string body = {};
    std::int64_t version = 0;
    bool operator==(const PutEntity&) const = default;
};
struct DeleteEntity {
    std::string kind = {};
    std::string id = {};
};
// Append-only. `seq` rises strictly; the writer chooses it.
struct AppendEvent {
    std::int64_t seq = 0;
    Time ts{};
    std::string subject = {};  // "task/tk_…"
    std::string type = {};
    std::string tenant = {};
    std::string body = {};  // JSON
    bool operator==(const AppendEvent&) const = default;
};
struct PutAccount {
    ledger::Account account;
};
struct AppendTransfer {
    ledger::Transfer transfer;
};
struct PutHold {
    ledger::Hold hold;
};
struct PutAccumulator {
    ledger::AccumulatorRow row;
};
struct BurnId {
    ledger::BurntId burnt;
};
// The stored answer to a client's Idempotency-Key.
struct PutIdempotency {
    std::string tenant = {};
    std::string key = {};
    std::string request_hash = {};
    std::int64_t status = 0;
    std::string body = {};
    Time expires_at{};
    bool operator==(const PutIdempotency&) const = default;
};
struct DeleteIdempotency {
    std::string tenant = {};
    std::string key = {};
};
// A usage record; its id is unique for ever, so one that comes twice fails the batch.
struct AppendUsage {
    std::string id = {};
    Time ts{};
    std::string tenant = {};    // who pays
    std::string provider = {};  // who earns
    std::string subject = {};
    std::string body = {};  // JSON
    bool operator==(const AppendUsage&) const = default;
};

using Write = std::variant<
    PutEntity, DeleteEntity, AppendEvent, PutAccount, AppendTransfer, PutHold, PutAccumulator,
    BurnId, PutIdempotency, DeleteIdempotency, AppendUsage>;

// Writes that become durable together; a later write to the same key wins. Text is UTF-8 without
// NUL.
struct Batch {
    std::vector<Write> writes;
    void add(Write write) { writes.push_back(std::move(write)); }
    void add(ledger::Rows rows);
    bool empty() const { return writes.empty(); }
};

// Receives every stored row at start: entities by (kind, id), accounts by id, transfers by seq,
// holds, accumulators, burnt ids, idempotency answers, usage by id, events by seq. An error ends
// the load and is returned from it.
class Visitor {
  public:
    virtual ~Visitor() = default;
    virtual Result<void> entity(PutEntity row) = 0;
    virtual Result<void> account(ledger::Account row) = 0;
    virtual Result<void> transfer(ledger::Transfer row) = 0;
    virtual Result<void> hold(ledger::Hold row) = 0;
    virtual Result<void> accumulator(ledger::AccumulatorRow row) = 0;
    virtual Result<void> burnt(ledger::BurntId row) = 0;
    virtual Result<void> idempotency(PutIdempotency row) = 0;
    // Only when asked for by LoadScope: these grow without end.
    virtual Result<void> usage(AppendUsage row) = 0;
    virtual Result<void> event(AppendEvent row) = 0;
};
struct LoadScope {
    bool usage = true;
    bool events = true;
};

struct EventFilter {
    std::int64_t after_seq = 0;
    std::string subject = {};  // empty: any
    std::string tenant = {};   // empty: any
    std::size_t limit = 100;   // at most kEventPageMax
};
// Newest first, by id.
struct UsageFilter {
    std::string tenant = {};     // empty: any
    std::string provider = {};   // empty: any
    std::string before_id = {};  // only older ones; empty: from the newest
    std::size_t limit = 100;     // at most kUsagePageMax
};
template <class Row>
struct Page {
    std::vector<Row> rows;
    bool more = false;
};

// The durable log of the server's state: memory is the truth for reads, this is what memory is
// rebuilt from. Calls block on the disk. commit() belongs to one thread (a GroupCommitter's); the
// reading calls may come from any other thread at the same time.
class Store {
  public:
    virtual ~Store() = default;
    virtual Result<void> load(Visitor& visitor, LoadScope scope) = 0;
    Result<void> load(Visitor& visitor) { return load(visitor, LoadScope{}); }
    // One transaction, durable when it returns. After a failure nothing of the batch is in the
    // store (or, where the connection broke during COMMIT, it is unknown): discard memory and load
    // again.
    virtual Result<void> commit(const Batch& batch) = 0;
    virtual Result<Page<AppendEvent>> events(const EventFilter& filter) = 0;
    // All that the filter takes after its cursor; `limit` does not matter.
    virtual Result<std::int64_t> count_events(const EventFilter& filter) = 0;
    virtual Result<std::int64_t> last_event_seq() = 0;  // 0: none yet
    virtual Result<Page<AppendUsage>> usage(const UsageFilter& filter) = 0;
    // As count_events.
    virtual Result<std::int64_t> count_usage(const UsageFilter& filter) = 0;
    // Those of `ids` that are stored: settled before.
    virtual Result<std::set<std::string>> known_usage(const std::vector<std::string>& ids) = 0;
    virtual std::string describe(
    ) const = 0;  // "sqlite:///var/lib/penstock/penstock.db"; no secrets
};

struct OpenOptions {
    // SQLite only; 0 is no limit. Beyond it commits fail as on a full disk.
    std::int64_t pages_max = 0;
};

// "sqlite:///absolute/path.db" or "postgresql://user:password@host:port/database". Migrates the
// schema, refuses a newer one, and takes the state for this process alone: a second open fails with
// `unavailable` until the first is closed or dead.
Result<std::unique_ptr<Store>> open(std::string_view url, const OpenOptions& options = {});

}  // namespace penstock::storage
