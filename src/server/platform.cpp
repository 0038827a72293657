// SPDX-License-Identifier: Apache-2.0
#include "server/platform.h"

#include <sys/statvfs.h>

#include "base/check.h"
#include "json/codec.h"
#include "model/device_list_codec.h"
#include "model/quantity_codec.h"
#include "server/profiles.h"
#include "tasks/state.h"

JSON_INSTANTIATE(penstock::server::StoredEndpoint);
JSON_INSTANTIATE(penstock::server::WalletPool);
JSON_INSTANTIATE(penstock::routing::AllowanceState);
JSON_INSTANTIATE(penstock::routing::ReplicaState);
JSON_INSTANTIATE(penstock::routing::SubjectUse);
JSON_INSTANTIATE(penstock::server::AttemptHolds);

namespace penstock::server {
namespace {

// Kept in the store: a gateway that knew the table of an earlier process sees that it has changed.
constexpr const char* kRouteVersionCounter = "routes";
constexpr Duration kReportAfterPause = 10min;

}  // namespace

// Fills a platform from the rows of its store.
class Restorer final : public storage::Visitor {
  public:
    explicit Restorer(Platform& platform) : platform_(platform) {}

    Result<void> entity(storage::PutEntity row) override {
        platform_.versions_[{row.kind, row.id}] = row.version;
        if (row.kind == "organisation")
            platform_.directory.restore(TRY(json::parse<Organisation>(row.body)));
        else if (row.kind == "project")
            platform_.directory.restore(TRY(json::parse<Project>(row.body)));
        else if (row.kind == "user")
            platform_.directory.restore(TRY(json::parse<User>(row.body)));
        else if (row.kind == "key")
            platform_.directory.restore(TRY(json::parse<access::StoredKey>(row.body)));
        else if (row.kind == "site")
            platform_.fleet.restore_site(TRY(json::parse<Site>(row.body)));
        else if (row.kind == "outlook")
            platform_.fleet.restore_outlook(TRY(json::parse<SiteOutlook>(row.body)));
        else if (row.kind == "pool")
            platform_.fleet.put_pool(TRY(json::parse<Pool>(row.body)));
        else if (row.kind == "node")
            platform_.fleet.restore_node(TRY(json::parse<Node>(row.body)));
        else if (row.kind == "task")
            platform_.board.restore_task(TRY(json::parse<Task>(row.body)));
        else if (row.kind == "attempt")
            platform_.board.restore_attempt(TRY(json::parse<Attempt>(row.body)));
        else if (row.kind == "item")
            TRY(item(row));
        else if (row.kind == "endpoint")
            endpoint(TRY(json::parse<StoredEndpoint>(row.body)));
        else if (row.kind == "file")
            file(TRY(json::parse<StoredFile>(row.body)));
        else if (row.kind == "batch")
            batch(TRY(json::parse<StoredBatch>(row.body)));
        else if (row.kind == "response")
            platform_.responses[row.id] = TRY(json::parse<StoredResponse>(row.body));
        else if (row.kind == "conversation")
            conversation(TRY(json::parse<StoredConversation>(row.body)));
        else if (row.kind == "allowance")
            platform_.allowances.restore(TRY(json::parse<routing::AllowanceState>(row.body)));
        else if (row.kind == "replica")
            platform_.allowances.restore(TRY(json::parse<routing::ReplicaState>(row.body)));
        else if (row.kind == "use")
            platform_.uses.restore(TRY(json::parse<routing::SubjectUse>(row.body)));
        else if (row.kind == "wallet_pool")
            wallet_pool(TRY(json::parse<WalletPool>(row.body)));
        else if (row.kind == "gateway_drain")
            platform_.gateway_drains[row.id] = TRY(json::parse<GatewayDrain>(row.body));
        else if (row.kind == "lease")
            return {};  // of versions before 0.2; its hold in the ledger has a deadline
        else if (row.kind == "attempt_holds")
            holds(TRY(json::parse<AttemptHolds>(row.body)));
        else if (row.kind == "blob")
            TRY(blob(row));
        else if (dispatch::DecisionLog::keeps(row.kind))
            TRY(platform_.decisions.restore(row.kind, row.id, std::move(row.body)));
        else if (row.kind == "counter")
            platform_.counters[row.id] = std::stoll(row.body);
        else
            return fail(
                ErrorCode::internal,
                "the store holds a '" + row.kind + "', which this version does not know"
            );
        return {};
    }
    Result<void> account(ledger::Account row) override {
        return rows_.accounts.push_back(std::move(row)), Result<void>{};
    }
    Result<void> transfer(ledger::Transfer row) override {
        return rows_.transfers.push_back(std::move(row)), Result<void>{};
    }
    Result<void> hold(ledger::Hold row) override {
        return rows_.holds.push_back(row), Result<void>{};
    }
    Result<void> burnt(ledger::BurntId row) override {
        return rows_.burnt.push_back(row), Result<void>{};
    }
    Result<void> accumulator(ledger::AccumulatorRow row) override {
        platform_.accumulators.put(row.contract, row.party, row.value);
        if (row.contract.starts_with(kCallContracts))
            platform_.unposted[TRY(OrganisationId::parse(row.party))] +=
                Units::of(ExactMoney(row.value.rem));
        return {};
    }
    Result<void> idempotency(storage::PutIdempotency row) override {
        platform_.keep_answer(std::move(row));
        return {};
    }
    // Not asked for: they stay in the store.
    Result<void> usage(storage::AppendUsage) override { return {}; }
    Result<void> event(storage::AppendEvent) override { return {}; }

    Result<void> finish() {
        ledger::LedgerOptions options;
        options.id_hash_seed = platform_.random_.next();
        platform_.ledger = TRY(ledger::Ledger::restore(std::move(rows_), options));
        platform_.route_version = platform_.last_route_version();
        // Gateways that could not report while the server was away do so first.
        platform_.allowances.keep_until(platform_.now() + kReportAfterPause);
        for (const Attempt* attempt : platform_.board.active_attempts()) {
            if (!platform_.fleet.hold(
                    attempt->id, attempt->placement.node_id, attempt->request,
                    attempt->devices.value_or(std::vector<std::int64_t>())
                ))
                platform_.log_.warning(
                    "a node has less room than it holds", {{"node", attempt->placement.node}}
                );
        }
        platform_.decisions.ready();
        learn_all(platform_);
        return {};
    }

  private:
    // "tk_…/12"
    Result<void> item(const storage::PutEntity& row) {
        const TaskId task =
            TRY(TaskId::parse(std::string_view(row.id).substr(0, row.id.find('/'))));
        platform_.board.restore_item(task, TRY(json::parse<TaskItem>(row.body)));
        return {};
    }
    // "sha256/og_…"
    Result<void> blob(const storage::PutEntity& row) {
        const std::size_t slash = row.id.find('/');
        const OrganisationId owner =
            TRY(OrganisationId::parse(std::string_view(row.id).substr(slash + 1)));
        platform_.blob_owners.emplace(row.id.substr(0, slash), owner);
        return {};
    }
    void file(StoredFile row) { platform_.files[row.id] = std::move(row); }
    void batch(StoredBatch row) { platform_.batches[row.id] = std::move(row); }
    void conversation(StoredConversation row) { platform_.conversations[row.id] = std::move(row); }
    void endpoint(StoredEndpoint row) { platform_.endpoints[row.endpoint.id] = std::move(row); }
    void wallet_pool(WalletPool row) {
        platform_.wallet_pools[row.organisation_id] = std::move(row);
    }
    void holds(AttemptHolds row) { platform_.attempt_holds[row.attempt_id] = std::move(row); }

    Platform& platform_;
    ledger::Rows rows_;
};

Platform::Platform(
    io::Runtime& runtime, storage::Store& store, PlatformOptions options, Clock& clock,
    Random& random, telemetry::Logger log, telemetry::Registry& metrics
)
    : decisions(engine, options.decisions_kept),
      ledger(ledger::LedgerOptions{.id_hash_seed = random.next()}),
      routes_changed(runtime.executor()),
      events(runtime.executor(), 0),
      runtime_(runtime),
      store_(store),
      options_(std::move(options)),
      clock_(clock),
      random_(random),
      ids_(random),
      log_(std::move(log)),
      metrics_(metrics),
      journal_(runtime, store, [this](const Error& error) {
          // Memory is ahead of the store now: whatever this process would answer could be lost.
          log_.error("the store failed; ending so that a restart reads what is durable", error);
          runtime_.post([this] { runtime_.stop(); });
      }) {
    fleet.tell(decisions);
}

Result<void> Platform::restore() {
    Restorer restorer(*this);
    TRY(store_.load(restorer, {.usage = false, .events = false}));
    TRY(restore_events());
    return restorer.finish();
}

Result<void> Platform::restore_events() {
    const std::int64_t last = TRY(store_.last_event_seq());
    storage::EventFilter filter{
        .after_seq = std::max<std::int64_t>(0, last - std::int64_t{kRecentEventsMax}),
        .limit = storage::kEventPageMax
    };
    for (bool more = true; more;) {
        const storage::Page<storage::AppendEvent> page = TRY(store_.events(filter));
        for (const storage::AppendEvent& row : page.rows)
            events.restore(TRY(json::parse<Event>(row.body)));
        more = page.more;
        if (more) filter.after_seq = page.rows.back().seq;
    }
    events.go_on_after(last);
    return {};
}

void Platform::put_entity(Change& change, std::string kind, std::string id, std::string body) {
    const std::int64_t version = ++versions_[{kind, id}];
    change.batch.add(storage::PutEntity{std::move(kind), std::move(id), std::move(body), version});
}

void Platform::put(Change& change, const Organisation& row) {
    put_entity(change, "organisation", to_string(row.id), json::print(row));
}
void Platform::put(Change& change, const Project& row) {
    put_entity(change, "project", to_string(row.id), json::print(row));
}
void Platform::put(Change& change, const User& row) {
    put_entity(change, "user", to_string(row.id), json::print(row));
}
void Platform::put(Change& change, const access::StoredKey& row) {
    put_entity(change, "key", to_string(row.key.id), json::print(row));
}
void Platform::put(Change& change, const Site& row) {
    put_entity(change, "site", to_string(row.id), json::print(row));
}
void Platform::put(Change& change, const SiteOutlook& row) {
    put_entity(change, "outlook", to_string(row.site_id), json::print(row));
}
void Platform::put(Change& change, const Pool& row) {
    put_entity(change, "pool", to_string(row.site_id) + "/" + row.sku, json::print(row));
}
void Platform::put(Change& change, const Node& row) {
    put_entity(change, "node", to_string(row.id), json::print(row));
}
void Platform::put(Change& change, const StoredEndpoint& row) {
    put_entity(change, "endpoint", to_string(row.endpoint.id), json::print(row));
}
void Platform::put(Change& change, const StoredFile& row) {
    put_entity(change, "file", to_string(row.id), json::print(row));
}
void Platform::put(Change& change, const StoredBatch& row) {
    put_entity(change, "batch", to_string(row.id), json::print(row));
}
void Platform::put(Change& change, const StoredResponse& row) {
    put_entity(change, "response", row.id, json::print(row));
}
void Platform::put(Change& change, const StoredConversation& row) {
    put_entity(change, "conversation", to_string(row.id), json::print(row));
}
void Platform::put(Change& change, const WalletPool& row) {
    put_entity(change, "wallet_pool", to_string(row.organisation_id), json::print(row));
}
void Platform::put(Change& change, const GatewayDrain& row) {
    put_entity(change, "gateway_drain", row.name, json::print(row));
}
void Platform::put_allowances(Change& change, const routing::AllowanceAuthority::Touched& touched) {
    for (const routing::AllowanceState& state : touched.accounts) {
        const AllowanceAccount& account = state.account;
        const std::string id = account.subject + "/" + json::Codec<Measure>::name(account.measure) +
                               "/" + json::Codec<BudgetPeriod>::name(account.period) + "/" +
                               to_rfc3339(account.period_start) + "/" + account.model;
        if (state.leases.empty() && state.cooling.empty())
            remove(change, "allowance", id);
        else
            put_entity(change, "allowance", id, json::print(state));
    }
    for (const routing::ReplicaState& state : touched.replicas)
        put_entity(change, "replica", state.replica, json::print(state));
    for (const routing::SubjectUse& use : uses.take_touched())
        put_entity(change, "use", use.subject + "/" + use.model, json::print(use));
}
void Platform::put(Change& change, const AttemptHolds& row) {
    put_entity(change, "attempt_holds", to_string(row.attempt_id), json::print(row));
}

void Platform::put(Change& change, dispatch::DecisionLog::Rows rows) {
    for (dispatch::DecisionLog::Row& row : rows.put)
        put_entity(change, std::string(row.kind), std::move(row.id), std::move(row.body));
    for (dispatch::DecisionLog::Row& row : rows.removed)
        remove(change, std::string(row.kind), std::move(row.id));
}

void Platform::put_counter(Change& change, const std::string& name, std::int64_t value) {
    counters[name] = value;
    put_entity(change, "counter", name, std::to_string(value));
}

void Platform::put_blob_owner(Change& change, const std::string& sha256, OrganisationId owner) {
    if (blob_owners.emplace(sha256, owner).second)
        put_entity(change, "blob", sha256 + "/" + to_string(owner), "{}");
}

std::int64_t Platform::last_route_version() const {
    const auto counter = counters.find(kRouteVersionCounter);
    return counter == counters.end() ? kFirstRouteVersion : counter->second;
}

void Platform::touch_routes(Change& change) {
    const std::int64_t version = last_route_version() + 1;
    put_counter(change, kRouteVersionCounter, version);
    change.after.emplace_back([this, version] {
        route_version = version;
        routes_changed.notify_all();
    });
}

void Platform::touch_keys(Change& change, const std::vector<const access::StoredKey*>& keys) {
    for (const access::StoredKey* key : keys) changed_keys_.emplace_back(key->sha256, now());
    while (changed_keys_.size() > kChangedKeysMax) changed_keys_.pop_front();
    if (!keys.empty()) touch_routes(change);
}

std::vector<std::string> Platform::changed_keys() const {
    std::vector<std::string> hashes;
    for (const auto& [hash, at] : changed_keys_)
        if (now() - at <= kChangedKeysTold) hashes.push_back(hash);
    return hashes;
}

void Platform::remove(Change& change, std::string kind, std::string id) {
    versions_.erase({kind, id});
    change.batch.add(storage::DeleteEntity{std::move(kind), std::move(id)});
}

void Platform::add_bill(Change& change, const BillLine& line) {
    const std::string id = to_string(line.id);
    CHECK(!recent_usage.contains(id), "a usage is settled once");
    recent_usage.add(id);
    change.batch.add(storage::AppendUsage{
        id, line.to, to_string(line.organisation_id), to_string(line.provider_id), line.resource,
        json::print(line)
    });
}

void Platform::add_event(
    Change& change, std::string subject, std::string type, OrganisationId tenant, std::string actor,
    std::string message
) {
    change.events.push_back(
        {.at = now(),
         .subject = std::move(subject),
         .type = std::move(type),
         .organisation_id = tenant,
         .actor = std::move(actor),
         .message = std::move(message)}
    );
}

// Rows of what the board changed. Ended attempts are settled first: that changes tasks as well.
void Platform::write_tasks(Change& change) {
    for (const AttemptId id : change.tasks.vacated) fleet.release(id);
    for (std::size_t i = 0; i < change.tasks.ended.size(); ++i) {
        const AttemptId ended = change.tasks.ended[i];
        fleet.release(ended);
        learn(*this, *board.find_attempt(ended));
        if (on_attempt_ended) on_attempt_ended(change, ended);
    }
    for (const TaskId id : change.tasks.tasks)
        put_entity(change, "task", to_string(id), json::print(*board.find(id)));
    for (const auto& [id, index] : change.tasks.items)
        put_entity(
            change, "item", to_string(id) + "/" + std::to_string(index),
            json::print(board.items(id)->at(static_cast<std::size_t>(index)))
        );
    for (const AttemptId id : change.tasks.attempts)
        put_entity(change, "attempt", to_string(id), json::print(*board.find_attempt(id)));
}

Ticket Platform::commit(Change change) {
    write_tasks(change);
    std::vector<Event> made = std::move(change.tasks.events);
    made.insert(
        made.end(), std::make_move_iterator(change.events.begin()),
        std::make_move_iterator(change.events.end())
    );
    for (Event& event : made) {
        event.cursor = events.take_cursor();
        change.batch.add(storage::AppendEvent{
            event.cursor, event.at, event.subject, event.type, to_string(event.organisation_id),
            json::print(event)
        });
    }
    const bool work = !change.tasks.tasks.empty() || !change.tasks.ended.empty();
    change.after.emplace_back([this, work, made = std::move(made),
                               stops = std::move(change.tasks.stops),
                               goes = std::move(change.tasks.goes)]() mutable {
        for (Event& event : made) events.publish(std::move(event));
        for (const tasks::Stop& stop : stops)
            if (on_stop) on_stop(stop);
        for (const tasks::Go& go : goes)
            if (on_go) on_go(go);
        if (work && on_work) on_work();
    });
    return journal_.submit(std::move(change.batch), std::move(change.after));
}

const storage::PutIdempotency* Platform::find_answer(
    const std::string& tenant, const std::string& key
) const {
    const auto found = answers_.find({tenant, key});
    return found == answers_.end() ? nullptr : &found->second;
}

Result<void> Platform::check_answers(const std::string& tenant) const {
    const auto kept = answers_of_.find(tenant);
    if (kept == answers_of_.end() || kept->second < kAnswersPerOrganisationMax) return {};
    return fail_field(
        ErrorCode::resource_exhausted, "Idempotency-Key",
        "cannot be kept: your organisation has used " + std::to_string(kAnswersPerOrganisationMax) +
            " of them within a day; wait, or submit many items as one array"
    );
}

void Platform::keep_answer(storage::PutIdempotency answer) {
    const auto [at, is_new] = answers_.try_emplace({answer.tenant, answer.key});
    if (is_new) ++answers_of_[answer.tenant];
    at->second = std::move(answer);
}

void Platform::keep_answer(Change& change, storage::PutIdempotency answer) {
    change.batch.add(answer);
    keep_answer(std::move(answer));
}

void Platform::forget_old_answers(Change& change) {
    constexpr std::size_t kPerCallMax = 100;
    constexpr std::size_t kLookedAtMax = 1000;
    std::size_t forgotten = 0, looked_at = 0;
    auto at = answers_.upper_bound(last_looked_at_);
    if (at == answers_.end()) at = answers_.begin();
    while (at != answers_.end() && forgotten < kPerCallMax && looked_at++ < kLookedAtMax) {
        last_looked_at_ = at->first;
        if (at->second.expires_at > now()) {
            ++at;
            continue;
        }
        change.batch.add(storage::DeleteIdempotency{at->first.first, at->first.second});
        if (--answers_of_[at->first.first] == 0) answers_of_.erase(at->first.first);
        at = answers_.erase(at);
        ++forgotten;
    }
}

void Platform::begin_stop() {
    stopping_ = true;
    routes_changed.notify_all();
    events.wake();
}

Result<void> Platform::check_room() const {
    struct statvfs disk{};
    if (::statvfs(options_.state_dir.c_str(), &disk) != 0) return {};
    const auto free_bytes =
        static_cast<std::int64_t>(disk.f_bavail) * static_cast<std::int64_t>(disk.f_frsize);
    if (free_bytes >= options_.free_bytes_min) return {};
    return fail_field(
        ErrorCode::resource_exhausted, "state_dir",
        "the disk of " + options_.state_dir.string() + " has " + std::to_string(free_bytes >> 20) +
            " MiB left, " + std::to_string(options_.free_bytes_min >> 20) +
            " MiB are kept free: make room there, then repeat the request"
    );
}

std::string digest_of(std::string_view text) { return access::sha256_hex(text).substr(0, 16); }

}  // namespace penstock::server
