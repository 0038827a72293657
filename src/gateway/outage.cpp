// SPDX-License-Identifier: Apache-2.0
#include "gateway/outage.h"

#include <utility>

namespace penstock::gateway {
namespace {

namespace fs = std::filesystem;

// Nothing where there is no file, or none that can be used.
std::optional<OutageSnapshot> read_file(
    const fs::path& path, const std::string& replica, Time now, telemetry::Logger log
) {
    if (!fs::exists(path)) return std::nullopt;
    const Result<std::string> bytes = read_whole(path);
    Result<OutageSnapshot> snapshot =
        bytes ? read_snapshot(*bytes) : std::unexpected(bytes.error());
    const Result<void> good =
        snapshot ? check_snapshot(*snapshot, replica, now) : std::unexpected(snapshot.error());
    if (good) return *std::move(snapshot);
    log.warning(
        "the snapshot of an outage cannot be used: without the server no call is served",
        {{"file", path.string()}, {"reason", good.error().message}}
    );
    return std::nullopt;
}

}  // namespace

fs::path snapshot_path(const GatewayOptions& options, const std::string& spool) {
    return options.state_dir / (spool + ".snapshot");
}

fs::path handed_path(const GatewayOptions& options, const std::string& spool) {
    return options.state_dir / (spool + ".handed");
}

fs::path foreign_path(const GatewayOptions& options, const std::string& spool) {
    return options.state_dir / (spool + ".foreign");
}

// ---- LeftSnapshot ----

// Only now is it sure that nobody writes it. Its age is looked at when it is taken.
void LeftSnapshot::read() {
    if (std::exchange(read_, true) || !fs::exists(path_)) return;
    const Result<std::string> bytes = read_whole(path_);
    Result<OutageSnapshot> snapshot =
        bytes ? read_snapshot(*bytes) : std::unexpected(bytes.error());
    if (snapshot) {
        snapshot_ = *std::move(snapshot);
        return;
    }
    log_.warning(
        "the snapshot of an outage cannot be used: without the server no call is served",
        {{"file", path_.string()}, {"reason", snapshot.error().message}}
    );
}

void LeftSnapshot::add(const CallRecord& call, std::uint64_t segment) {
    read();
    if (snapshot_ && segment >= snapshot_->head.spool_segment) spending_.add(call);
}

std::optional<OutageSnapshot> LeftSnapshot::take(Time now) {
    read();
    if (!snapshot_) return std::nullopt;
    if (const Result<void> good = check_snapshot(*snapshot_, replica_, now); !good) {
        log_.warning(
            "the snapshot of an outage is not used",
            {{"file", path_.string()}, {"reason", good.error().message}}
        );
        return std::nullopt;
    }
    spending_.take_from(snapshot_->leases);
    return std::exchange(snapshot_, std::nullopt);
}

// ---- Outage ----

Outage::Outage(Parts parts, std::optional<OutageSnapshot> left)
    : parts_(parts), left_(std::move(left)) {}

bool Outage::has_left() const {
    if (!parts_.file.is_clear()) return true;
    return !parts_.options.spool_before.empty() &&
           fs::exists(snapshot_path(parts_.options, parts_.options.spool_before));
}

std::optional<OutageSnapshot> Outage::read_other() const {
    if (parts_.options.spool_before.empty()) return std::nullopt;
    return read_file(
        snapshot_path(parts_.options, parts_.options.spool_before), std::string(),
        parts_.clock.now(), parts_.log
    );
}

io::Task<void> Outage::begin(std::function<void(RouteTable)> apply) {
    const Result<RouteTable> table = co_await parts_.server.probe();
    const bool away = !table && Budget::is_silence(table.error().code);
    std::optional<OutageSnapshot> other;
    if (away) other = co_await parts_.pool.run([this] { return read_other(); });
    if (!away || (!left_ && !other)) {
        left_.reset();
        while (!co_await parts_.file.let_go()) co_await io::sleep_for(kLookEvery);
        co_return;
    }
    // Nothing of the own process before may be used again once another snapshot is written.
    if (!left_)
        while (!co_await parts_.file.let_go()) co_await io::sleep_for(kLookEvery);
    const bool own_is_newer = left_ && (!other || left_->head.written_at >= other->head.written_at);
    adopt_facts(own_is_newer ? *left_ : *other, apply);
    parts_.authenticator.on_silence();
    parts_.budget.on_silence();
    if (left_) parts_.budget.resume(left_->head.holder.run, left_->leases);
    left_.reset();
    if (other && parts_.options.takes_over) co_await adopt_handed();
}

void Outage::adopt_facts(
    const OutageSnapshot& snapshot, const std::function<void(RouteTable)>& apply
) {
    for (const KeptKey& kept : snapshot.keys)
        parts_.authenticator.cache().restore(
            *sha256_from_hex(kept.sha256), {.key = std::make_shared<const ResolvedKey>(kept.key),
                                            .fresh_until = kept.fresh_until,
                                            .good_until = kept.good_until,
                                            .told_at = kept.told_at}
        );
    // After the keys: it tells which of them were revoked.
    apply(snapshot.routes);
    parts_.log.warning(
        "the server is away: calls are served from the snapshot of this outage",
        {{"written_at", to_rfc3339(snapshot.head.written_at)},
         {"models", snapshot.routes.routes.size()},
         {"keys", snapshot.keys.size()},
         {"leases", snapshot.leases.size()}}
    );
}

void Outage::on_routes(const RouteTable& table) {
    routes_ = std::make_shared<const RouteTable>(table);
}

// ---- writing ----

io::Task<void> Outage::watch_forever() {
    while (true) {
        co_await keep();
        co_await io::sleep_for(kLookEvery);
    }
}

io::Task<void> Outage::keep() {
    if (!parts_.budget.is_silent() || !parts_.file.is_clear()) co_return;
    const Duration now = parts_.clock.monotonic();
    if (written_at_ && now - *written_at_ < kWriteAgainAfter) co_return;
    co_await write();
}

io::Task<bool> Outage::write() {
    if (parts_.file.is_busy() || !routes_) co_return false;
    written_at_ = parts_.clock.monotonic();
    OutageFile::Writing writing(parts_.file);
    std::optional<std::uint64_t> segment = parts_.spool.cut();
    for (int tries = 0; !segment && tries < kCutTries; ++tries) {
        co_await io::sleep_for(kCutAgainAfter);
        segment = parts_.spool.cut();
    }
    // Composed without waiting: what the leases have used is what the spool had at its cut.
    auto snapshot = std::make_shared<OutageSnapshot>();  // handed on to a thread
    snapshot->head = {parts_.budget.holder(), parts_.clock.now(), segment.value_or(0)};
    if (segment) snapshot->leases = parts_.budget.pool().kept(parts_.budget.holder());
    const auto keys = std::make_shared<const std::vector<std::pair<Sha256, KeyCache::Entry>>>(
        parts_.authenticator.cache().known(parts_.clock.now())
    );
    co_return co_await parts_.file.write(&writing, [snapshot, keys, routes = routes_] {
        snapshot->routes = *routes;
        for (const auto& [digest, entry] : *keys)
            snapshot->keys.push_back(
                {to_hex(digest), entry.fresh_until, entry.good_until, entry.told_at, *entry.key}
            );
        return print_snapshot(*snapshot);
    });
}

// ---- two processes ----

io::Task<void> Outage::hand_over() {
    if (!parts_.budget.is_silent() || !routes_ || parts_.options.spool_before.empty()) co_return;
    while (parts_.file.is_busy()) co_await io::sleep_for(kHandedLookEvery);
    OutageSnapshot handed;
    handed.leases = parts_.budget.pool().cede(parts_.budget.holder(), parts_.clock.now());
    // The own file first: what it says is no longer true.
    if (!co_await write()) co_return;
    handed.head = {parts_.budget.holder(), parts_.clock.now(), 0};
    const fs::path path = handed_path(parts_.options, parts_.options.spool_before);
    const Result<void> written = co_await parts_.pool.run([path, handed = std::move(handed)] {
        return write_whole(path, print_snapshot(handed));
    });
    if (!written) parts_.log.error("parts of leases cannot be handed over", written.error());
}

io::Task<void> Outage::adopt_handed() {
    const fs::path path = handed_path(parts_.options, parts_.options.spool);
    const io::Deadline deadline = io::Deadline::after(kHandedWithin);
    while (!fs::exists(path) && !deadline.passed()) co_await io::sleep_for(kHandedLookEvery);
    const std::optional<OutageSnapshot> handed = co_await parts_.pool.run([this, path] {
        return read_file(path, parts_.options.replica_before, parts_.clock.now(), parts_.log);
    });
    // It is gone before it is used, so that nobody uses it twice.
    const Result<void> removed = co_await remove(path);
    if (!handed || !removed || !co_await mark_foreign()) co_return;
    parts_.budget.adopt(handed->leases);
    co_await write();
}

io::Task<void> Outage::adopt_left(LeftSnapshot* left) {
    const fs::path path = snapshot_path(parts_.options, parts_.options.spool_before);
    const std::optional<OutageSnapshot> snapshot = left->take(parts_.clock.now());
    Result<void> removed = co_await remove(path);
    while (!removed) {
        co_await io::sleep_for(kLookEvery);
        removed = co_await remove(path);
    }
    if (!snapshot || !parts_.budget.is_silent() || !co_await mark_foreign()) co_return;
    parts_.budget.adopt(snapshot->leases);
    while (parts_.file.is_busy()) co_await io::sleep_for(kHandedLookEvery);
    co_await write();
}

io::Task<Result<void>> Outage::remove(fs::path path) {
    const Result<void> removed = co_await parts_.pool.run([path] { return remove_durably(path); });
    if (!removed) parts_.log.error("a snapshot that was taken cannot be removed", removed.error());
    co_return removed;
}

// Before anything foreign is used.
io::Task<bool> Outage::mark_foreign() {
    const fs::path path = foreign_path(parts_.options, parts_.options.spool);
    const Result<void> marked = co_await parts_.pool.run([path] { return write_whole(path, ""); });
    if (!marked) parts_.log.error("leases of the process before are not used", marked.error());
    co_return marked.has_value();
}

io::Task<void> Outage::until_nothing_is_foreign() {
    while (parts_.budget.pool().has_foreign()) co_await io::sleep_for(kLookEvery);
    const Spool::Place end = parts_.spool.settled_end();
    while (!parts_.spool.is_acknowledged(end)) co_await io::sleep_for(kLookEvery);
    // Foreign leases are about to end: a snapshot that names them is not to be used again.
    while (!co_await parts_.file.let_go()) co_await io::sleep_for(kLookEvery);
    for (const std::string& spool : {parts_.options.spool, parts_.options.spool_before})
        co_await remove(foreign_path(parts_.options, spool));
}

bool Outage::must_finish() const {
    return !parts_.budget.is_silent() &&
           fs::exists(foreign_path(parts_.options, parts_.options.spool));
}

io::Task<void> Outage::until_left_is_settled() {
    const bool resumed = parts_.budget.is_resumed();
    const bool used = !parts_.options.spool_before.empty() &&
                      fs::exists(foreign_path(parts_.options, parts_.options.spool_before));
    while (used && !resumed && !left_settled_) co_await io::sleep_for(kHandedLookEvery);
}

void Outage::left_is_settled() { left_settled_ = true; }

}  // namespace penstock::gateway
