// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "access/directory.h"
#include "base/random.h"
#include "dispatch/decision_log.h"
#include "fleet/fleet.h"
#include "ledger/ledger.h"
#include "ledger/rating.h"
#include "model/batch.h"
#include "model/billing.h"
#include "model/endpoint.h"
#include "model/gateway_status.h"
#include "model/response_state.h"
#include "routing/allowance_authority.h"
#include "routing/use_book.h"
#include "scheduler/profile.h"
#include "scheduler/restarts.h"
#include "server/event_log.h"
#include "server/journal.h"
#include "server/recent_ids.h"
#include "storage/store.h"
#include "tasks/board.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"
#include "timeshare/problem.h"

namespace penstock::server {

constexpr std::string_view kCallContracts = "tokens/";  // begins the accumulators of token calls
// More than can wait for the disk, so that what is not yet in the store is always among them.
constexpr std::size_t kRecentUsageMax = 131'072;
static_assert(kRecentUsageMax > storage::kQueueRowsMax + storage::kBatchRowsMax);
// Answers to idempotency keys that are kept for one organisation; then it must wait for the oldest
// to be forgotten.
constexpr std::size_t kAnswersPerOrganisationMax = 100'000;

// How devices are shared among time-shared tasks; see time_sharing.h.
struct TimeSharingOptions {
    std::string policy = "most-throughput";  // of timeshare::live_policies()
    Duration round = timeshare::kRound;
};

struct PlatformOptions {
    std::filesystem::path state_dir;
    std::string node_code = "N01";                      // of the registration codes issued here
    std::string authority = "local.penstock.internal";  // of the C-URLs printed here
    std::int64_t fee_basis_points = 500;                // the platform's share of a charge
    std::string store_site;  // where the platform's store lies: a site's name; empty: not said
    std::int64_t free_bytes_min = 32L * 1024 * 1024;  // below: commands are refused, reads go on
    TimeSharingOptions time_sharing;
    dispatch::DecisionsKept decisions_kept;
};

// An endpoint with the secret that is sent to it.
struct StoredEndpoint {
    Endpoint endpoint;
    std::optional<std::string> api_key;
};
BOOST_DESCRIBE_STRUCT(StoredEndpoint, (), (endpoint, api_key))

// The hold in the ledger that backs all leases on an organisation's wallet.
struct WalletPool {
    OrganisationId organisation_id;
    std::string pending_id;  // of the open hold; empty: none
};
BOOST_DESCRIBE_STRUCT(WalletPool, (), (organisation_id, pending_id))

// The holds in the ledger that back an attempt, oldest first.
struct AttemptHolds {
    AttemptId attempt_id;
    std::vector<std::string> pending_ids;
};
BOOST_DESCRIBE_STRUCT(AttemptHolds, (), (attempt_id, pending_ids))

// What one command did to the platform, not yet handed to the journal.
struct Change {
    tasks::Changes tasks;
    storage::Batch batch;
    std::vector<Event> events;  // beside those of tasks
    std::vector<std::move_only_function<void()>> after;
    bool empty() const {
        return batch.empty() && events.empty() && tasks.tasks.empty() && tasks.items.empty() &&
               tasks.attempts.empty() && tasks.events.empty() && after.empty();
    }
};

// All state of one platform node, in memory, and the way by which changes become durable. One
// executor. Services change it through a Change and end with commit(); nothing else writes.
class Platform {
  public:
    Platform(
        io::Runtime& runtime, storage::Store& store, PlatformOptions options, Clock& clock,
        Random& random, telemetry::Logger log, telemetry::Registry& metrics
    );
    // Reads everything from the store; before anything else.
    Result<void> restore();

    Time now() const { return clock_.now(); }
    template <class IdType>
    IdType make_id() {
        return ids_.next<IdType>(now());
    }

    // Rows of a noun; `version` counts its changes.
    void put(Change& change, const Organisation& row);
    void put(Change& change, const Project& row);
    void put(Change& change, const User& row);
    void put(Change& change, const access::StoredKey& row);
    void put(Change& change, const Site& row);
    void put(Change& change, const SiteOutlook& row);
    void put(Change& change, const Pool& row);
    void put(Change& change, const Node& row);
    void put(Change& change, const StoredEndpoint& row);
    void put(Change& change, const StoredFile& row);
    void put(Change& change, const StoredBatch& row);
    void put(Change& change, const StoredResponse& row);
    void put(Change& change, const StoredConversation& row);
    void put(Change& change, const WalletPool& row);
    void put(Change& change, const GatewayDrain& row);
    // What commands did to allowances and to the counts of use.
    void put_allowances(Change& change, const routing::AllowanceAuthority::Touched& touched);
    void put(Change& change, const AttemptHolds& row);
    void put(Change& change, dispatch::DecisionLog::Rows rows);
    void put_counter(Change& change, const std::string& name, std::int64_t value);
    void put_blob_owner(Change& change, const std::string& sha256, OrganisationId owner);
    // Endpoints or keys changed: gateways are to ask again once it is durable.
    void touch_routes(Change& change);
    // Limits of these keys changed: likewise, for their next calls.
    void touch_keys(Change& change, const std::vector<const access::StoredKey*>& keys);
    // Hashes of such keys, of the last kChangedKeysTold. A gateway that did not hear of one in time
    // asks again by itself (kKeyCacheSpan).
    std::vector<std::string> changed_keys() const;
    static constexpr Duration kChangedKeysTold = 2min;
    static constexpr std::size_t kChangedKeysMax = 10'000;
    // Of touch_routes(), durable or not.
    std::int64_t last_route_version() const;
    void remove(Change& change, std::string kind, std::string id);
    void add_bill(Change& change, const BillLine& line);
    void add_event(
        Change& change, std::string subject, std::string type, OrganisationId tenant,
        std::string actor, std::string message
    );

    // Turns what the board changed into rows, numbers the events and hands all of it to the
    // journal.
    Ticket commit(Change change);
    io::Task<Result<void>> committed(Ticket ticket) { return journal_.committed(ticket); }
    Ticket last_ticket() const { return journal_.last(); }
    bool last_ticket_durable() const { return journal_.durable() == journal_.last(); }
    // `resource_exhausted` when the disk of the state directory is nearly full.
    Result<void> check_room() const;

    // Called by commit() for every stop that became durable, and whenever work may have become
    // possible.
    std::function<void(const tasks::Stop&)> on_stop;
    std::function<void(const tasks::Go&)> on_go;  // likewise, for members of gangs
    std::function<void()> on_work;
    // Settles an attempt that ended; part of the same change.
    std::function<void(Change&, AttemptId)> on_attempt_ended;
    // Where the calls of a task's service come from; empty: unknown.
    std::function<std::vector<CallerShare>(TaskId)> callers_of;
    // Replicas of a service that lines of batches ask for; see batch_owner.h.
    std::function<std::int64_t(const Task&)> replicas_for_lines;
    // Whether one item more of the task would start now, if nothing else waited.
    std::function<bool(const Task&)> has_room_for;
    // Replicas that run for lines alone: all other work goes before them. See elastic.h.
    std::set<AttemptId> lent;

    access::Directory directory;
    fleet::Fleet fleet;
    dispatch::Engine engine;
    dispatch::DecisionLog decisions;  // hears of all that happens to the fleet
    tasks::Board board;
    scheduler::History history;       // of runs; see profiles.h
    scheduler::RestartBook restarts;  // likewise
    ledger::Ledger ledger;
    ledger::Accumulators accumulators;
    std::map<EndpointId, StoredEndpoint> endpoints;
    std::map<FileId, StoredFile> files;               // of batches; see file_shelf.h
    std::map<BatchId, StoredBatch> batches;           // see batch_owner.h
    std::map<std::string, StoredResponse> responses;  // see turn_shelf.h
    std::map<ConversationId, StoredConversation> conversations;
    routing::AllowanceAuthority allowances;
    routing::UseBook uses;
    std::map<OrganisationId, WalletPool> wallet_pools;
    std::map<std::string, GatewayDrain, std::less<>> gateway_drains;  // by name
    // Of token calls, charged and not yet posted: less than a micro-yuan for each contract.
    std::map<OrganisationId, Units> unposted;
    std::map<AttemptId, AttemptHolds> attempt_holds;
    std::map<std::string, std::int64_t> counters;
    // Usages settled last, durable or not; whether an older one was settled the store knows.
    RecentIds recent_usage{kRecentUsageMax};
    std::set<std::pair<std::string, OrganisationId>> blob_owners;
    static constexpr std::int64_t kFirstRouteVersion = 1;  // gateways that have no table ask with 0
    std::int64_t route_version = kFirstRouteVersion;       // of their table: what is durable
    io::Event routes_changed;
    EventLog events;

    const PlatformOptions& options() const { return options_; }
    telemetry::Logger& log() { return log_; }
    telemetry::Registry& metrics() { return metrics_; }
    storage::Store& store() { return store_; }
    io::Runtime& runtime() { return runtime_; }
    Random& random() { return random_; }
    bool failed() const { return journal_.failed(); }
    // The answer to a client's idempotency key; null: none is kept.
    const storage::PutIdempotency* find_answer(const std::string& tenant, const std::string& key)
        const;
    // `resource_exhausted` when the organisation has kAnswersPerOrganisationMax of them.
    Result<void> check_answers(const std::string& tenant) const;
    void keep_answer(Change& change, storage::PutIdempotency answer);
    // Answers to idempotency keys that were kept long enough; a bounded number in one call.
    void forget_old_answers(Change& change);
    // Streams and long polls are to end now: the process is about to stop.
    void begin_stop();
    bool stopping() const { return stopping_ || failed(); }

  private:
    void put_entity(Change& change, std::string kind, std::string id, std::string body);
    void write_tasks(Change& change);
    Result<void> restore_events();
    void keep_answer(storage::PutIdempotency answer);

    io::Runtime& runtime_;
    storage::Store& store_;
    PlatformOptions options_;
    Clock& clock_;
    Random& random_;
    IdSource ids_;
    telemetry::Logger log_;
    telemetry::Registry& metrics_;
    Journal journal_;
    bool stopping_ = false;
    std::deque<std::pair<std::string, Time>> changed_keys_;
    std::map<std::pair<std::string, std::string>, storage::PutIdempotency> answers_;
    std::map<std::string, std::size_t> answers_of_;       // how many, by tenant
    std::pair<std::string, std::string> last_looked_at_;  // of the idempotency keys
    std::map<std::pair<std::string, std::string>, std::int64_t> versions_;
    friend class Restorer;
};

std::string digest_of(std::string_view text);  // 16 hex digits of SHA-256: for ETags

}  // namespace penstock::server
