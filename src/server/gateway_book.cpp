// SPDX-License-Identifier: Apache-2.0
#include "server/gateway_book.h"

#include <algorithm>
#include <functional>
#include <set>

namespace penstock::server {
namespace {

constexpr Duration kLookAgain = 500ms;  // whether the process is about to stop
constexpr Duration kHeardWithin = 200ms;

}  // namespace

GatewayBook::GatewayBook(Platform& platform)
    : platform_(platform),
      changed_(platform.runtime().executor()),
      reported_(platform.runtime().executor()) {}

Result<void> GatewayBook::take(ReportGateway report) {
    const Time now = platform_.now();
    std::erase_if(seen_, [&](const auto& entry) {
        return now - entry.second.reported_at > kForgetAfter;
    });
    if (seen_.size() >= kReplicasMax && !seen_.contains(report.replica))
        return fail_field(
            ErrorCode::resource_exhausted, "replica",
            std::to_string(kReplicasMax) + " other gateways report already"
        );
    Seen& seen = seen_[report.replica];
    const bool runs = !seen.report.run.is_nil() && !is_away(seen);
    if (runs && seen.report.run != report.run && seen.report.started_at > report.started_at)
        return fail_field(
            ErrorCode::conflict, "run",
            "another process has begun as replica '" + report.replica +
                "' since: give every gateway a name of its own (--replica)"
        );
    if (report.detailed) {
        seen.endpoints = std::move(report.endpoints);
        seen.endpoints_left_out = report.endpoints_left_out;
        seen.lease_uses = std::move(report.lease_uses);
        seen.detailed_at = now;
        report.endpoints.clear();
        report.lease_uses.clear();
    }
    seen.report = std::move(report);
    seen.reported_at = now;
    reported_.notify_all();
    return {};
}

io::Task<GatewayWishes> GatewayBook::wishes(std::string replica, Duration wait) {
    auto until = io::Deadline::after(std::min(wait, kWaitMax));
    while (!platform_.stopping() && !until.passed()) {
        const auto found = seen_.find(replica);
        if (found == seen_.end()) break;
        const ReportGateway& last = found->second.report;
        if (is_watched(gateway_name(replica)) && !last.detailed) break;
        if (platform_.allowances.has_recalled(replica)) break;
        // It hears of that with its routes, in a moment.
        const bool drains = platform_.gateway_drains.contains(gateway_name(replica));
        if (drains != last.told_to_drain)
            until = io::earlier(until, io::Deadline::after(kHeardWithin));
        (void)co_await changed_.wait(io::earlier(until, io::Deadline::after(kLookAgain)));
    }
    co_return GatewayWishes{
        .details = is_watched(gateway_name(replica)),
        .recalled = platform_.allowances.take_recalled(replica)
    };
}

bool GatewayBook::is_watched(std::string_view name) const {
    const auto found = watched_until_.find(name);
    return found != watched_until_.end() && platform_.now() < found->second;
}

bool GatewayBook::has_details(std::string_view name, Time since) const {
    return std::ranges::all_of(processes(name), [&](const Seen* seen) {
        return is_away(*seen) || (seen->detailed_at && *seen->detailed_at >= since);
    });
}

io::Task<void> GatewayBook::look(std::string name) {
    const Time since = platform_.now();
    std::erase_if(watched_until_, [&](const auto& entry) { return entry.second < since; });
    watched_until_[name] = since + kWatchedFor;
    notify();
    const auto until = io::Deadline::after(kDetailsWaitMax);
    while (!platform_.stopping() && !has_details(name, since))
        if (!co_await reported_.wait(until)) break;
}

std::vector<const GatewayBook::Seen*> GatewayBook::processes(std::string_view name) const {
    std::vector<const Seen*> out;
    const std::string first(name);
    for (const std::string& replica : {first, first + std::string(kSecondProcess)})
        if (const auto found = seen_.find(replica); found != seen_.end())
            out.push_back(&found->second);
    std::ranges::sort(out, std::greater(), &Seen::reported_at);
    return out;
}

std::vector<std::string> GatewayBook::names() const {
    std::set<std::string> names;
    for (const auto& [replica, seen] : seen_) names.emplace(gateway_name(replica));
    for (const auto& [replica, state] : platform_.allowances.replicas())
        names.emplace(gateway_name(replica));
    for (const auto& [name, drain] : platform_.gateway_drains) names.emplace(name);
    return {names.begin(), names.end()};
}

namespace {

void add_counts(GatewayStatus& status, const ReportGateway& report) {
    const auto add = [](std::optional<std::int64_t>& sum, std::int64_t more) {
        sum = sum.value_or(0) + more;
    };
    add(status.calls_in_flight, report.calls_in_flight);
    add(status.calls_held, report.calls_held);
    add(status.batch_lines, report.batch_lines);
    add(status.holds_open, report.holds_open);
    add(status.leases, report.leases);
    status.held = *penstock::add(status.held.value_or(Money()), report.held);
    status.has_unsettled = status.has_unsettled.value_or(false) || report.has_unsettled;
}

}  // namespace

// Of two processes the newer report is shown; what they carry is added up.
GatewayStatus GatewayBook::status(const std::string& name) const {
    GatewayStatus status{.name = name, .routes_current = platform_.route_version};
    if (const auto drain = platform_.gateway_drains.find(name);
        drain != platform_.gateway_drains.end()) {
        status.draining_since = drain->second.since;
        status.drained_by = drain->second.actor;
    }
    const std::vector<const Seen*> all = processes(name);
    if (all.empty()) return status;
    const ReportGateway& newest = all.front()->report;
    status.reported_at = all.front()->reported_at;
    status.region = newest.region;
    status.started_at = newest.started_at;
    status.routes_version = newest.routes_version;
    if (is_away(*all.front())) return status;
    status.state = GatewayState::serving;
    status.ready = newest.ready;
    status.breakers_open = newest.breakers_open;
    status.refused_routes = newest.refused_routes;
    bool drained = true;
    for (const Seen* seen : all) {
        if (is_away(*seen)) continue;
        ++status.processes;
        add_counts(status, seen->report);
        drained = drained && seen->report.state == GatewayState::drained;
    }
    if (status.draining_since)
        status.state = drained ? GatewayState::drained : GatewayState::draining;
    return status;
}

}  // namespace penstock::server
