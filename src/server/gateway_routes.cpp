// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "http/problem.h"
#include "model/allowance.h"
#include "server/elastic.h"
#include "server/gateway_answers.h"
#include "server/lists.h"
#include "server/routes.h"

// What gateways ask the server for; see src/gateway.
namespace penstock::server {
namespace {

constexpr Duration kWaitMax = 60s;
// No gateway uses an answer about a key for longer, nor while the server is away.
constexpr Duration kRevocationsToldFor = 1h;
constexpr std::size_t kSettleRecordsMax = 1000;
constexpr std::size_t kSettleBodyMax = 8 << 20;
constexpr std::size_t kReplicaNameMax = 128;
constexpr std::size_t kAsksMax = 1000;

// Where its site is, as the site says now.
Route route_to(const Platform& platform, const StoredEndpoint& row) {
    Route route{.endpoint = row.endpoint, .api_key = row.api_key};
    route.weight = row.endpoint.weight.value_or(kWeightDefault);
    route.endpoint.second_meter.reset();
    const Site* site = row.endpoint.site.empty()
                           ? nullptr
                           : platform.fleet.find_site(std::string_view(row.endpoint.site));
    if (site == nullptr) return route;
    route.region = site->spec.region;
    route.rtt_ms = site->spec.rtt_ms;
    return route;
}

io::Task<http::Response> watch_routes(Platform* platform, http::Request request) {
    const Result<std::int64_t> version = query_integer(request, "version", 0, 0, INT64_MAX);
    if (!version) co_return http::problem_response(version.error(), request);
    Duration wait{};
    if (const std::string* text = request.query.find("wait")) {
        const Result<Duration> parsed = parse_duration(*text);
        if (!parsed)
            co_return http::problem_response(
                Error{ErrorCode::invalid_argument, parsed.error().message, "wait"}, request
            );
        wait = std::min(*parsed, kWaitMax);
    }
    const auto until = io::Deadline::after(wait);
    while (platform->route_version == *version && !until.passed() && !platform->stopping())
        if (!co_await platform->routes_changed.wait(until)) break;
    RouteTable table{.version = platform->route_version};
    for (const auto& [id, row] : platform->endpoints)
        if (row.endpoint.state != EndpointState::deleted)
            table.routes.push_back(route_to(*platform, row));
    table.elastic = elastic_routes(*platform);
    table.changed_key_hashes = platform->changed_keys();
    for (const auto& [name, drain] : platform->gateway_drains) table.draining.push_back(name);
    table.revoked_key_hashes =
        platform->directory.revoked_since(platform->now() - kRevocationsToldFor);
    // What it shows may have been changed a moment ago.
    if (const Result<void> durable = co_await platform->committed(platform->last_ticket());
        !durable)
        co_return http::problem_response(durable.error(), request, 503);
    co_return http::Response::json(200, json::print(table));
}

Outcome resolve_key(Platform& platform, Call& call) {
    const ResolveKey wanted = TRY(body_as<ResolveKey>(call.request));
    const access::Principal principal =
        TRY(platform.directory.authenticate(wanted.key_sha256, call.now));
    return answer(resolved_key(platform, principal));
}

Outcome acquire_allowances(Billing& billing, GatewayBook& gateways, Call& call) {
    const AcquireAllowances wanted = TRY(body_as<AcquireAllowances>(call.request));
    const auto wrong = [](std::string field, std::string message) {
        return std::unexpected(
            Failure(Error{ErrorCode::invalid_argument, std::move(message), std::move(field)})
        );
    };
    if (wanted.replica.empty() || wanted.replica.size() > kReplicaNameMax)
        return wrong("replica", "must have 1 to 128 characters");
    if (wanted.asks.size() > kAsksMax)
        return wrong("asks", "at most 1000 in one request: send several");
    for (std::size_t i = 0; i < wanted.asks.size(); ++i) {
        const AllowanceAsk& ask = wanted.asks[i];
        const bool sound = !ask.known.is_negative() && !ask.returned.is_negative() &&
                           !ask.needed.is_negative() && !ask.smallest.is_negative() &&
                           ask.wanted >= ask.needed && ask.wanted <= kUnitsMax;
        if (!sound)
            return wrong(
                "asks[" + std::to_string(i) + "]",
                "amounts are not negative, and what is needed is a part of what is wanted"
            );
    }
    const GrantedAllowances granted = TRY(billing.acquire_allowances(call.change, wanted));
    // Those that have what is wanted here hear of it at once.
    if (std::ranges::any_of(granted.allowances, &Allowance::recalled))
        call.change.after.emplace_back([&gateways] { gateways.notify(); });
    return answer(granted);
}

std::expected<SettleCalls, Failure> records_of(
    const Platform& platform, const http::Request& request
) {
    SettleCalls wanted = TRY(body_as<SettleCalls>(request));
    if (wanted.records.size() > kSettleRecordsMax)
        return std::unexpected(Failure(Error{
            ErrorCode::invalid_argument, "at most 1000 records in one request: send several",
            "records"
        }));
    for (std::size_t i = 0; i < wanted.records.size(); ++i)
        if (platform.directory.find_organisation(wanted.records[i].organisation_id) == nullptr)
            return std::unexpected(Failure(Error{
                ErrorCode::not_found, "no such organisation",
                "records[" + std::to_string(i) + "].organisation_id"
            }));
    return wanted;
}

io::Task<http::Response> settle(
    Api* api, Billing* billing, io::Pool* pool, access::Principal, http::Request request
) {
    Platform& platform = api->platform();
    if (const Result<void> room = platform.check_room(); !room)
        co_return http::problem_response(room.error(), request, 507);
    const std::expected<SettleCalls, Failure> wanted = records_of(platform, request);
    if (!wanted) co_return http::problem_response(wanted.error().errors, request);
    std::vector<std::string> ids;
    for (const CallRecord& record : wanted->records)
        ids.push_back(to_string(UsageId(record.id.raw())));
    const auto before = co_await settled_before(&platform, pool, std::move(ids));
    if (!before) co_return http::problem_response(before.error(), request);
    Change change;
    const Answer made = answer(billing->settle_calls(change, *wanted, *before));
    co_return co_await api->finish(made, std::move(change), std::move(request));
}

}  // namespace

void add_gateway_routes(Api& api, Billing& billing, GatewayBook& gateways, io::Pool& pool) {
    Platform& platform = api.platform();
    RouteDoc doc{
        .operation = "gatewayRoutes",
        .summary = "Routes and revoked keys; waits for a newer version",
        .scope = Scope::gateway,
        .response = json::schema<RouteTable>,
        .query = {"version", "wait"}
    };
    api.raw(
        "GET", "/v1/gateway/routes", doc,
        [&platform](const access::Principal&, http::Request request) {
            return watch_routes(&platform, std::move(request));
        }
    );
    api.command(
        "POST", "/v1/gateway/keys:resolve",
        {.operation = "resolveKey",
         .summary = "Whose key this is, by its hash",
         .scope = Scope::gateway,
         .request = json::schema<ResolveKey>,
         .response = json::schema<ResolvedKey>},
        [&platform](Call& call) { return resolve_key(platform, call); }
    );
    api.command(
        "POST", "/v1/gateway/allowances",
        {.operation = "acquireAllowances",
         .summary = "Parts of wallets and limits for a gateway",
         .scope = Scope::gateway,
         .request = json::schema<AcquireAllowances>,
         .response = json::schema<GrantedAllowances>},
        [&billing, &gateways](Call& call) { return acquire_allowances(billing, gateways, call); }
    );
    http::RouteOptions settlements;
    settlements.body_max = kSettleBodyMax;
    api.raw(
        "POST", "/v1/gateway/settlements",
        {.operation = "settleCalls",
         .summary = "Records of finished calls; repeating one changes nothing",
         .scope = Scope::gateway,
         .request = json::schema<SettleCalls>,
         .response = json::schema<SettledCalls>},
        [&api, &billing, &pool](access::Principal p, http::Request r) {
            return settle(&api, &billing, &pool, std::move(p), std::move(r));
        },
        std::move(settlements)
    );
}

}  // namespace penstock::server
