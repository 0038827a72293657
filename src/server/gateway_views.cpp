// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <set>

#include "http/problem.h"
#include "server/gateway_book.h"
#include "server/lists.h"
#include "server/routes.h"

// Gateways as operators, providers and tenants see them, and how they are taken out of service.
namespace penstock::server {
namespace {

constexpr std::size_t kReplicaNameMax = 128;
constexpr std::size_t kEndpointsReportedMax = 1000;
constexpr std::size_t kLeasesReportedMax = 1000;
constexpr std::size_t kReportBodyMax = 4 << 20;
// In one list; a filter by organisation shows the others.
constexpr std::size_t kLeasesShownMax = 10'000;

std::unexpected<Failure> no_gateway(std::string_view name) {
    return std::unexpected(Failure(Error{
        ErrorCode::not_found,
        "no gateway '" + std::string(name) + "' has spoken to this platform: penstock gateway list",
        "name"
    }));
}

std::expected<std::string, Failure> known_name(
    const GatewayBook& book, const http::Request& request
) {
    std::string_view name = request.param("name");
    if (name.starts_with("gateway/")) name.remove_prefix(std::string_view("gateway/").size());
    const std::vector<std::string> names = book.names();
    if (!std::ranges::binary_search(names, name)) return no_gateway(name);
    return std::string(name);
}

// What all tenants' calls together do is the operator's to see.
GatewayStatus shown_to(const access::Principal& principal, GatewayStatus status) {
    if (principal.is_operator()) return status;
    GatewayStatus shown{.name = std::move(status.name), .state = status.state};
    shown.draining_since = status.draining_since;
    shown.region = std::move(status.region);
    shown.reported_at = status.reported_at;
    shown.routes_version = status.routes_version;
    shown.routes_current = status.routes_current;
    return shown;
}

Outcome list_gateways(const GatewayBook& book, const Call& call) {
    std::vector<GatewayStatus> all;
    for (const std::string& name : book.names())
        all.push_back(shown_to(call.principal, book.status(name)));
    return list_page(call.request, all, &GatewayPage::gateways, [](const GatewayStatus& one) {
        return one.name;
    });
}

Outcome get_gateway(const GatewayBook& book, const Call& call) {
    const std::string name = TRY(known_name(book, call.request));
    return answer(shown_to(call.principal, book.status(name)));
}

// ---- reports ----

std::expected<ReportGateway, Failure> report_of(const http::Request& request) {
    ReportGateway report = TRY(body_as<ReportGateway>(request));
    const auto wrong = [](std::string field, std::string message) {
        return std::unexpected(
            Failure(Error{ErrorCode::invalid_argument, std::move(message), std::move(field)})
        );
    };
    if (report.replica.empty() || report.replica.size() > kReplicaNameMax)
        return wrong("replica", "must have 1 to 128 characters");
    if (report.endpoints.size() > kEndpointsReportedMax)
        return wrong("endpoints", "at most 1000 in one report: count the others");
    if (report.lease_uses.size() > kLeasesReportedMax)
        return wrong("lease_uses", "at most 1000 in one report: count the others");
    return report;
}

io::Task<http::Response> take_report(GatewayBook* book, http::Request request) {
    std::expected<ReportGateway, Failure> report = report_of(request);
    if (!report) co_return http::problem_response(report.error().errors, request);
    const std::string replica = report->replica;
    const Duration wait = report->wait;
    if (const Result<void> taken = book->take(*std::move(report)); !taken)
        co_return http::problem_response(taken.error(), request);
    const GatewayWishes wishes = co_await book->wishes(replica, wait);
    co_return http::Response::json(200, json::print(wishes));
}

// ---- routes ----

// An endpoint of the platform that no process has reported, though none left anything out.
GatewayRoute unreported(const Endpoint& endpoint) {
    GatewayRoute route;
    route.endpoint_id = endpoint.id;
    route.model = endpoint.model;
    route.provider = endpoint.provider;
    route.site = endpoint.site;
    route.state = endpoint.state;
    route.in_table = false;
    return route;
}

std::vector<GatewayRoute> routes_of(
    const Platform& platform, const GatewayBook& book, const std::string& name,
    const access::Principal& principal
) {
    std::vector<GatewayRoute> rows;
    std::set<EndpointId> reported;
    bool whole = true;
    const auto may_see = [&](const EndpointId& id) {
        const auto found = platform.endpoints.find(id);
        return principal.is_operator() ||
               (found != platform.endpoints.end() &&
                found->second.endpoint.provider_id == principal.organisation_id);
    };
    const std::vector<const GatewayBook::Seen*> all = book.processes(name);
    // Of several processes the newest one takes calls; those before it only finish theirs.
    const GatewayBook::Seen* seen = all.empty() ? nullptr : all.front();
    if (seen != nullptr && seen->detailed_at) {
        whole = seen->endpoints_left_out == 0;
        for (const EndpointStatus& endpoint : seen->endpoints) {
            reported.insert(endpoint.endpoint_id);
            if (!may_see(endpoint.endpoint_id)) continue;
            GatewayRoute& row = rows.emplace_back();
            static_cast<EndpointStatus&>(row) = endpoint;
            row.reported_at = seen->detailed_at;
        }
    }
    if (whole)
        for (const auto& [id, row] : platform.endpoints)
            if (row.endpoint.state != EndpointState::deleted && !reported.contains(id) &&
                may_see(id))
                rows.push_back(unreported(row.endpoint));
    for (GatewayRoute& row : rows) row.gateway = name;
    std::ranges::sort(rows, {}, [](const GatewayRoute& row) {
        return std::pair(std::string_view(row.model), row.endpoint_id);
    });
    return rows;
}

io::Task<http::Response> show_routes(
    Api* api, GatewayBook* book, access::Principal principal, http::Request request
) {
    const std::expected<std::string, Failure> name = known_name(*book, request);
    if (!name) co_return http::problem_response(name.error().errors, request);
    co_await book->look(*name);
    Outcome page = list_page(
        request, routes_of(api->platform(), *book, *name, principal), &GatewayRoutePage::routes,
        [](const GatewayRoute& row) { return to_string(row.endpoint_id); }
    );
    co_return co_await api->finish(std::move(page), Change(), std::move(request));
}

// ---- leases ----

OrganisationId organisation_of(const access::Directory& directory, const std::string& subject) {
    if (const Result<OrganisationId> id = OrganisationId::parse(subject)) return *id;
    if (const Result<ProjectId> id = ProjectId::parse(subject))
        if (const Project* project = directory.find_project(*id)) return project->organisation_id;
    if (const Result<KeyId> id = KeyId::parse(subject))
        if (const access::StoredKey* key = directory.find_key(*id)) return key->key.organisation_id;
    return {};
}

// An organisation's accounts: its own, its projects', its keys'.
std::vector<std::string> subjects_of(const access::Directory& directory, OrganisationId id) {
    std::vector<std::string> subjects{to_string(id)};
    for (const Project* project : directory.projects_of(id))
        subjects.push_back(to_string(project->id));
    for (const access::StoredKey* key : directory.keys_of(id))
        subjects.push_back(to_string(key->key.id));
    return subjects;
}

void add_use(GatewayLease& row, const LeaseUse& use) {
    constexpr std::int64_t kWhole = 100;
    row.held = use.held;
    row.free = use.free;
    row.unsettled = std::max(Units(), row.outstanding - use.held - use.free);
    if (row.outstanding > Units())
        row.fill_percent = std::min(
            kWhole,
            static_cast<std::int64_t>(
                use.free.exact_money().femto() * kWhole / row.outstanding.exact_money().femto()
            )
        );
}

struct Uses {
    const LeaseUse* use = nullptr;
    std::optional<Time> reported_at;
};

std::map<LeaseId, Uses> uses_of(const GatewayBook& book, const std::string& name) {
    std::map<LeaseId, Uses> uses;
    for (const GatewayBook::Seen* seen : book.processes(name))
        for (const LeaseUse& use : seen->lease_uses) uses[use.lease_id] = {&use, seen->detailed_at};
    return uses;
}

// Those with something in them. Nothing: there are more than kLeasesShownMax.
std::optional<std::vector<GatewayLease>> leases_of(
    const Platform& platform, const GatewayBook& book, const std::string& name,
    const std::vector<std::string>& subjects
) {
    const std::map<LeaseId, Uses> uses = uses_of(book, name);
    std::vector<GatewayLease> rows;
    bool whole = true;
    const auto visit = [&](const AllowanceAccount& account, const routing::AllowanceLease& lease) {
        if (gateway_name(lease.replica) != name || lease.outstanding() <= Units()) return;
        whole = whole && rows.size() < kLeasesShownMax;
        if (!whole) return;
        GatewayLease& row = rows.emplace_back();
        row.id = lease.id;
        row.gateway = name;
        row.replica = lease.replica;
        row.epoch = lease.epoch;
        row.organisation_id = organisation_of(platform.directory, account.subject);
        if (const auto* organisation = platform.directory.find_organisation(row.organisation_id))
            row.organisation = organisation->name;
        row.account = account;
        row.granted = lease.granted;
        row.returned = lease.returned;
        row.settled = lease.drawn;
        row.outstanding = lease.outstanding();
        row.expires_at = lease.expires_at;
        if (const auto told = uses.find(lease.id); told != uses.end()) {
            add_use(row, *told->second.use);
            row.reported_at = told->second.reported_at;
        }
    };
    for (const std::string& subject : subjects) platform.allowances.visit_leases(subject, visit);
    return whole ? std::optional(std::move(rows)) : std::nullopt;
}

Outcome lease_page(
    const Platform& platform, const GatewayBook& book, const std::string& name,
    const access::Principal& principal, const http::Request& request
) {
    const std::string wanted(request.query.get("organisation"));
    const Organisation* organisation = nullptr;
    if (!wanted.empty()) organisation = platform.directory.find_organisation(wanted);
    if (!principal.is_operator() && wanted.empty())
        organisation = platform.directory.find_organisation(principal.organisation_id);
    const bool foreign = organisation != nullptr && !principal.is_operator() &&
                         organisation->id != principal.organisation_id;
    if ((!wanted.empty() && organisation == nullptr) || foreign)
        return std::unexpected(
            Failure(Error{ErrorCode::not_found, "no organisation '" + wanted + "'", "organisation"})
        );
    std::vector<std::string> subjects{std::string()};
    if (organisation != nullptr) subjects = subjects_of(platform.directory, organisation->id);
    const auto rows = leases_of(platform, book, name, subjects);
    if (!rows)
        return std::unexpected(Failure(Error{
            ErrorCode::invalid_argument,
            "the gateway holds more than " + std::to_string(kLeasesShownMax) +
                " leases: name one organisation of them (--organisation)",
            "organisation"
        }));
    return list_page(request, *rows, &GatewayLeasePage::leases, [](const GatewayLease& row) {
        return to_string(row.id);
    });
}

io::Task<http::Response> show_leases(
    Api* api, GatewayBook* book, access::Principal principal, http::Request request
) {
    const std::expected<std::string, Failure> name = known_name(*book, request);
    if (!name) co_return http::problem_response(name.error().errors, request);
    co_await book->look(*name);
    Outcome page = lease_page(api->platform(), *book, *name, principal, request);
    co_return co_await api->finish(std::move(page), Change(), std::move(request));
}

// ---- drains ----

Outcome set_drain(Platform& platform, GatewayBook& book, Call& call, bool drains) {
    const std::string name = TRY(known_name(book, call.request));
    if (platform.gateway_drains.contains(name) != drains) {
        if (drains) {
            const GatewayDrain row{name, call.now, call.principal.actor()};
            platform.gateway_drains[name] = row;
            platform.put(call.change, row);
        } else {
            platform.gateway_drains.erase(name);
            platform.remove(call.change, "gateway_drain", name);
        }
        platform.add_event(
            call.change, "gateway/" + name, drains ? "gateway_drain_set" : "gateway_drain_lifted",
            call.principal.organisation_id, call.principal.actor(), name
        );
        platform.touch_routes(call.change);
        call.change.after.emplace_back([&book] { book.notify(); });
    }
    return answer(book.status(name));
}

}  // namespace

void add_gateway_views(Api& api, GatewayBook& book) {
    Platform& platform = api.platform();
    http::RouteOptions body;
    body.body_max = kReportBodyMax;
    api.raw(
        "POST", "/v1/gateway/status",
        {.operation = "reportGateway",
         .summary = "What a gateway carries; answers when another report is wanted",
         .scope = Scope::gateway,
         .request = json::schema<ReportGateway>,
         .response = json::schema<GatewayWishes>},
        [&book](const access::Principal&, http::Request request) {
            return take_report(&book, std::move(request));
        },
        std::move(body)
    );
    api.query(
        "/v1/gateways",
        {.operation = "listGateways",
         .summary = "The platform's gateways",
         .response = json::schema<GatewayPage>,
         .list = true},
        [&book](Call& call) { return list_gateways(book, call); }
    );
    api.query(
        "/v1/gateways/{name}",
        {.operation = "getGateway",
         .summary = "One gateway; what all calls together do is shown to operators",
         .response = json::schema<GatewayStatus>},
        [&book](Call& call) { return get_gateway(book, call); }
    );
    api.raw(
        "GET", "/v1/gateways/{name}/routes",
        {.operation = "listGatewayRoutes",
         .summary = "Where a gateway may send calls and what it has measured; your endpoints only",
         .scope = Scope::provider,
         .response = json::schema<GatewayRoutePage>,
         .list = true},
        [&api, &book](access::Principal p, http::Request r) {
            return show_routes(&api, &book, std::move(p), std::move(r));
        }
    );
    api.raw(
        "GET", "/v1/gateways/{name}/leases",
        {.operation = "listGatewayLeases",
         .summary = "Parts of your wallet and limits that a gateway holds",
         .scope = Scope::billing_read,
         .response = json::schema<GatewayLeasePage>,
         .query = {"organisation"},
         .list = true},
        [&api, &book](access::Principal p, http::Request r) {
            return show_leases(&api, &book, std::move(p), std::move(r));
        }
    );
    api.command(
        "POST", "/v1/gateways/{name}:drain",
        {.operation = "drainGateway",
         .summary = "Let a gateway take no new calls, finish what runs and give back its leases",
         .scope = Scope::operator_,
         .response = json::schema<GatewayStatus>},
        [&platform, &book](Call& call) { return set_drain(platform, book, call, true); }
    );
    api.command(
        "POST", "/v1/gateways/{name}:undrain",
        {.operation = "undrainGateway",
         .summary = "Let a drained gateway take calls again",
         .scope = Scope::operator_,
         .response = json::schema<GatewayStatus>},
        [&platform, &book](Call& call) { return set_drain(platform, book, call, false); }
    );
}

}  // namespace penstock::server
