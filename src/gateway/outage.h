// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>

#include "gateway/authenticator.h"
#include "gateway/budget.h"
#include "gateway/gateway.h"
#include "gateway/outage_file.h"
#include "gateway/outage_snapshot.h"
#include "gateway/server_link.h"
#include "gateway/spool.h"

namespace penstock::gateway {

// The snapshot that a process has left, with what its calls have used since: read while its spool
// is recovered, whose lock says that it has ended.
class LeftSnapshot {
  public:
    // `replica`: whose it must be; empty: anybody's of this state folder.
    LeftSnapshot(std::filesystem::path path, std::string replica, telemetry::Logger log)
        : path_(std::move(path)), replica_(std::move(replica)), log_(std::move(log)) {}

    // Spool::Options::on_record.
    void add(const CallRecord& call, std::uint64_t segment);
    // After the recovery. Nothing: there is none, or it cannot be used, which the log explains.
    std::optional<OutageSnapshot> take(Time now);

  private:
    void read();
    std::filesystem::path path_;
    std::string replica_;
    telemetry::Logger log_;
    bool read_ = false;
    std::optional<OutageSnapshot> snapshot_;
    routing::LeaseSpending spending_;
};

std::filesystem::path snapshot_path(const GatewayOptions& options, const std::string& spool);
// Where an older process leaves parts of its leases to the newer one, whose spool is named.
std::filesystem::path handed_path(const GatewayOptions& options, const std::string& spool);

// Marks that calls whose records are in the spool named use leases of the other process.
std::filesystem::path foreign_path(const GatewayOptions& options, const std::string& spool);

// What lets a gateway serve on although it was restarted while the server is away (ADR 19). While
// the server does not answer, nothing is given back, settled or learned: so a snapshot of routes,
// keys and leases that is written when it falls silent stays true until it answers again, and what
// calls have used since is in the spool. It is removed before anything that it says becomes false.
class Outage {
  public:
    static constexpr Duration kLookEvery = 1s;
    static constexpr Duration kWriteAgainAfter = 5s;  // between two snapshots
    static constexpr Duration kHandedWithin = 5s;     // what a process that takes over waits
    static constexpr Duration kHandedLookEvery = 10ms;
    static constexpr int kCutTries = 100;  // while the spool is being synced
    static constexpr Duration kCutAgainAfter = 10ms;

    struct Parts {
        OutageFile& file;
        Spool& spool;
        Budget& budget;
        Authenticator& authenticator;
        ServerLink& server;
        io::Pool& pool;
        const Clock& clock;
        telemetry::Logger& log;
        const GatewayOptions& options;
    };
    Outage(Parts parts, std::optional<OutageSnapshot> left);

    // Something is there that begin() may go on with; else it need not be called.
    bool has_left() const;
    // At the start: where the server answers, its word counts and what was left is forgotten; where
    // it does not, goes on with what was left. `apply` uses a table of routes.
    io::Task<void> begin(std::function<void(RouteTable)> apply);
    // A table is in use.
    void on_routes(const RouteTable& table);
    // Writes the snapshot whenever the server has fallen silent; runs until cancelled.
    io::Task<void> watch_forever();
    // The same at once, where it is so: the process is about to end.
    io::Task<void> keep();
    // A newer process serves: it gets half of what is free, where the server is away.
    io::Task<void> hand_over();
    // The process before has ended: goes on with what it has left, where the server is away.
    io::Task<void> adopt_left(LeftSnapshot* left);
    // Returns when no call uses parts of the process before any more, and all that did are settled.
    io::Task<void> until_nothing_is_foreign();
    // Calls still use such parts although the server is back: who takes over now would end them.
    bool must_finish() const;
    // The process before has used leases of this one's name: until its calls are settled nothing
    // is asked for, because that ends them. left_is_settled(): they are.
    io::Task<void> until_left_is_settled();
    void left_is_settled();

  private:
    io::Task<void> adopt_handed();
    io::Task<bool> write();  // false: nothing is there, or an older one that could not be removed
    std::optional<OutageSnapshot> read_other() const;
    void adopt_facts(const OutageSnapshot& snapshot, const std::function<void(RouteTable)>& apply);
    io::Task<Result<void>> remove(std::filesystem::path path);
    io::Task<bool> mark_foreign();

    Parts parts_;
    std::optional<OutageSnapshot> left_;
    std::shared_ptr<const RouteTable> routes_;  // shared with the thread that prints it
    std::optional<Duration> written_at_;        // monotonic
    bool left_settled_ = false;
};

}  // namespace penstock::gateway
