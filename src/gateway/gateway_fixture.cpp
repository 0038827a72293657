// SPDX-License-Identifier: Apache-2.0
#include "gateway/gateway_fixture.h"

#include <gtest/gtest.h>

#include "gateway/key_cache.h"
#include "http/problem.h"
#include "json/json.h"
#include "routing/call_meter.h"

namespace penstock::gateway {
namespace {

constexpr Duration kWaitMax = 10s;
constexpr Duration kPollEvery = 2ms;
constexpr Duration kSilence = 200ms;

io::Task<void> wait_for(io::Runtime* runtime, std::function<bool()> condition, bool* met) {
    static_cast<void>(runtime);
    const io::Deadline deadline = io::Deadline::after(kWaitMax);
    while (!condition() && !deadline.passed()) co_await io::sleep_for(kPollEvery);
    *met = condition();
}

}  // namespace

// ---- server ----

ScriptedServer::ScriptedServer(io::Runtime& runtime) : changed_(runtime.executor()) {
    router_.use([this](http::Request r, http::Next next) { return guarded(std::move(r), next); });
    router_.add("GET", "/v1/gateway/routes", [this](http::Request r) {
        return routes(std::move(r));
    });
    router_.add("GET", "/v1/blobs/{sha256}", [this](http::Request r) {
        return blob(std::move(r));
    });
    router_.add("POST", "/v1/gateway/keys:resolve", [this](http::Request r) {
        return resolve(std::move(r));
    });
    router_.add("POST", "/v1/gateway/allowances", [this](http::Request r) {
        return lease(std::move(r));
    });
    router_.add("POST", "/v1/gateway/settlements", [this](http::Request r) {
        return settle(std::move(r));
    });
    router_.add("POST", "/v1/gateway/loads", [this](http::Request r) {
        return take_loads(std::move(r));
    });
    router_.add("POST", "/v1/gateway/status", [this](http::Request r) {
        return take_status(std::move(r));
    });
    router_.add("POST", "/v1/gateway/responses:expand", [this](http::Request r) {
        return expand(std::move(r));
    });
    router_.add("POST", "/v1/gateway/responses:keep", [this](http::Request r) {
        return keep(std::move(r));
    });
    router_.add("POST", "/v1/gateway/batches:uses", [this](http::Request r) {
        return take_uses(std::move(r));
    });
    router_.add("POST", "/v1/gateway/batches:claim", [this](http::Request r) {
        return claim(std::move(r));
    });
    router_.add("POST", "/v1/gateway/batches:report", [this](http::Request r) {
        return take_lines(std::move(r));
    });
    server_ = std::make_unique<http::Server>(runtime, router_, http::ServerOptions{});
    EXPECT_TRUE(server_->start());
}

io::Task<void> ScriptedServer::stop() { return server_->stop(io::Deadline::after(0s)); }

void ScriptedServer::set_key_settings(std::optional<CallSettings> settings) {
    key_settings_ = std::move(settings);
    changed_keys = {to_hex(sha256(kKey))};
}

void ScriptedServer::answer_keys() {
    keys_wait = false;
    changed_.notify_all();
}

void ScriptedServer::set_routes(std::vector<Route> list, std::vector<std::string> revoked) {
    ++table_.version;
    table_.routes = std::move(list);
    table_.revoked_key_hashes = std::move(revoked);
    table_.elastic = elastic;
    table_.draining = draining;
    table_.changed_key_hashes = changed_keys;
    changed_.notify_all();
}

io::Task<http::Response> ScriptedServer::guarded(http::Request request, http::Next next) {
    if (away) {
        if (request.path.ends_with("/keys:resolve")) ++keys_asked_in_vain;
        if (request.path.ends_with("/allowances")) ++leases_asked_in_vain;
        co_return problem_response(Error{ErrorCode::unavailable, "the server is away"}, request);
    }
    if (request.headers.get("Authorization") != "Bearer sk-gateway-key")
        co_return problem_response(
            Error{ErrorCode::unauthenticated, "not the gateway's key"}, request
        );
    co_return co_await next(std::move(request));
}

io::Task<http::Response> ScriptedServer::routes(http::Request request) {
    const std::string known(request.query.get("version"));
    while (std::to_string(table_.version) == known) co_await changed_.wait();
    co_return http::Response::json(200, json::print(table_));
}

io::Task<http::Response> ScriptedServer::blob(http::Request request) {
    const auto found = blobs.find(std::string(request.param("sha256")));
    if (found == blobs.end())
        co_return problem_response(Error{ErrorCode::not_found, "no such blob"}, request);
    http::Response response{.status = 200, .headers = {}, .body = found->second};
    response.headers.set("Content-Type", "application/octet-stream");
    co_return response;
}

io::Task<http::Response> ScriptedServer::resolve(http::Request request) {
    ++keys_asked;
    while (keys_wait) co_await changed_.wait();
    const Result<ResolveKey> asked = json::parse<ResolveKey>(request.body);
    if (!asked || asked->key_sha256 != to_hex(sha256(kKey)))
        co_return problem_response(Error{ErrorCode::not_found, "no such key"}, request);
    co_return http::Response::json(
        200, json::print(ResolvedKey{
                 .key_id = KeyId(RawId{3, 3}),
                 .organisation_id = organisation_id,
                 .project_id = ProjectId(RawId{4, 4}),
                 .may_use_tokens = may_use_tokens,
                 .expires_at = {},
                 .cache_for = cache_keys_for,
                 .organisation_limits = {},
                 .project_limits = {},
                 .key_limits = key_limits,
                 .settings = key_settings_,
             })
    );
}

// What the server does with a wallet and limits; the authority is the server's own core.
io::Task<http::Response> ScriptedServer::lease(http::Request request) {
    ++leases_asked;
    if (leases_wait) co_await changed_.wait();
    const Result<AcquireAllowances> asked = json::parse<AcquireAllowances>(request.body);
    EXPECT_TRUE(asked) << to_string(asked.error());
    const Time now = SystemClock().now();
    GrantedAllowances answer;
    const Result<std::int64_t> epoch = authority_.greet(asked->replica, asked->run, now);
    EXPECT_TRUE(epoch) << to_string(epoch.error());
    answer.epoch = *epoch;
    for (const AllowanceAsk& ask : asked->asks) {
        const bool is_wallet = ask.account.measure == Measure::wallet;
        const Units limit =
            is_wallet ? Units::of(wallet) : limits[json::print(ask.account.measure)];
        Allowance given =
            *authority_.grant(asked->replica, ask, limit, used_of(ask.account.measure), now);
        given.expires_at = now + lease_lives;
        if (is_wallet) granted_most = std::max(granted_most, given.granted.floor_money());
        answer.allowances.push_back(given);
    }
    co_return http::Response::json(200, json::print(answer));
}

Units ScriptedServer::reserved() const {
    AllowanceAccount account;
    account.subject = to_string(organisation_id);
    return authority_.reserved(account);
}

Units ScriptedServer::used_of(Measure measure) const {
    Units sum;
    for (const auto& [id, call] : records) {
        if (routing::is_money(measure))
            sum += Units::of(*routing::charge_of(call.tokens, routing::prices_of(call)));
        if (measure == Measure::requests_day) sum += Units::whole(call.continues ? 0 : 1);
        if (measure == Measure::tokens_day) sum += Units::whole(routing::total_tokens(call.tokens));
    }
    return sum;
}

void ScriptedServer::draw(const CallRecord& call) {
    std::vector<LeaseId> leases = call.drawn.value_or(std::vector<LeaseId>());
    leases.push_back(call.lease_id);
    for (const LeaseId lease : leases) {
        const AllowanceAccount* account = authority_.account_of(lease);
        if (account == nullptr) continue;
        Units amount = Units::of(*routing::charge_of(call.tokens, routing::prices_of(call)));
        if (account->measure == Measure::requests_day)
            amount = Units::whole(call.continues ? 0 : 1);
        if (account->measure == Measure::tokens_day)
            amount = Units::whole(routing::total_tokens(call.tokens));
        authority_.draw(lease, amount);
    }
}

io::Task<http::Response> ScriptedServer::take_loads(http::Request request) {
    const Result<ReportLoads> report = json::parse<ReportLoads>(request.body);
    EXPECT_TRUE(report) << to_string(report.error());
    loads.push_back(*report);
    co_return http::Response::json(200, json::print(TakenLoads{.report_every = 100ms}));
}

io::Task<http::Response> ScriptedServer::take_status(http::Request request) {
    const Result<ReportGateway> report = json::parse<ReportGateway>(request.body);
    EXPECT_TRUE(report) << to_string(report.error());
    status = *report;
    states.push_back(report->state);
    co_await io::sleep_for(10ms);
    co_return http::Response::json(200, json::print(GatewayWishes{.details = wants_details}));
}

io::Task<http::Response> ScriptedServer::expand(http::Request request) {
    const Result<ExpandTurn> turn = json::parse<ExpandTurn>(request.body);
    EXPECT_TRUE(turn) << to_string(turn.error());
    if (turn->previous_response_id == "resp_unknown")
        co_return problem_response(
            Error{ErrorCode::not_found, "is not there", "previous_response_id"}, request
        );
    co_return http::Response::json(200, json::print(ExpandedTurn{{said}}));
}

io::Task<http::Response> ScriptedServer::keep(http::Request request) {
    const Result<KeepTurn> turn = json::parse<KeepTurn>(request.body);
    EXPECT_TRUE(turn) << to_string(turn.error());
    if (!takes) co_return problem_response(Error{ErrorCode::unavailable, "no"}, request);
    kept.push_back(*turn);
    if (answers_lost > 0) {
        --answers_lost;
        co_return problem_response(Error{ErrorCode::unavailable, "lost"}, request);
    }
    co_return http::Response::json(200, json::print(KeptTurn{}));
}

io::Task<http::Response> ScriptedServer::claim(http::Request request) {
    const Result<ClaimLines> claim = json::parse<ClaimLines>(request.body);
    EXPECT_TRUE(claim) << to_string(claim.error());
    claims.push_back(*claim);
    ClaimedLines answer;
    if (claim->room > 0) answer.lines = std::exchange(lines, {});
    if (answer.lines.empty()) co_await io::sleep_for(10ms);
    co_return http::Response::json(200, json::print(answer));
}

io::Task<http::Response> ScriptedServer::take_uses(http::Request request) {
    const Result<ReportUses> report = json::parse<ReportUses>(request.body);
    EXPECT_TRUE(report) << to_string(report.error());
    uses.push_back(*report);
    co_return http::Response::json(200, json::print(TakenUses{.watched = true}));
}

io::Task<http::Response> ScriptedServer::take_lines(http::Request request) {
    const Result<ReportLines> report = json::parse<ReportLines>(request.body);
    EXPECT_TRUE(report) << to_string(report.error());
    if (!takes) co_return problem_response(Error{ErrorCode::unavailable, "no"}, request);
    ReportedLines answer;
    for (const LineReport& line : report->lines) {
        line_reports.push_back(line);
        ++answer.accepted;
        if (line.record) answer.settled.push_back(line.record->id);
    }
    co_return http::Response::json(200, json::print(answer));
}

io::Task<http::Response> ScriptedServer::settle(http::Request request) {
    const Result<SettleCalls> calls = json::parse<SettleCalls>(request.body);
    EXPECT_TRUE(calls) << to_string(calls.error());
    SettledCalls settled;
    for (const CallRecord& call : calls->records)
        if (!bad_model.empty() && call.model == bad_model)
            co_return problem_response(
                Error{refuse_settlements, "this record is refused"}, request
            );
    for (const CallRecord& call : calls->records) {
        if ((call.attempt_of ? attempts : records).emplace(call.id, call).second) {
            ++settled.accepted;
            if (!call.attempt_of) draw(call);
        } else {
            ++settled.repeated;
        }
    }
    repeated += static_cast<int>(settled.repeated);
    co_return http::Response::json(200, json::print(settled));
}

// ---- fixture ----

Route route_to(std::string url, std::string model, std::uint64_t number) {
    Route route;
    route.endpoint.id = EndpointId(RawId{9, number});
    route.endpoint.provider_id = OrganisationId(RawId{8, number});
    route.endpoint.provider = "provider-" + std::to_string(number);
    route.endpoint.site = "site-" + std::to_string(number);
    route.endpoint.model = std::move(model);
    route.endpoint.upstream_model = "upstream-model";
    route.endpoint.url = std::move(url);
    route.endpoint.price_input = *parse_price("1");
    route.endpoint.price_output = *parse_price("2");
    route.endpoint.price_version = 7;
    route.api_key = "provider-secret";
    return route;
}

Fixture::Fixture(GatewayOptions changes)
    : server(runtime), options(std::move(changes)), client(runtime) {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "penstock-gateway-XXXXXX").string();
    folder = ::mkdtemp(pattern.data());
    options.server_url = server.url();
    options.key = "sk-gateway-key";
    options.replica = "gateway-1";
    options.state_dir = folder;
    start_gateway();
}

Fixture::~Fixture() {
    stop_gateway();
    for (const auto& engine : engines) runtime.block_on(engine->stop());
    runtime.block_on(server.stop());
    std::filesystem::remove_all(folder);
}

void Fixture::start_gateway() {
    auto opened = Gateway::open(options, {runtime, pool, clock, random, log, registry});
    ASSERT_TRUE(opened) << to_string(opened.error());
    gateway = *std::move(opened);
    router = std::make_unique<http::Router>();
    gateway->register_routes(*router);
    front = std::make_unique<http::Server>(runtime, *router, http::ServerOptions{});
    ASSERT_TRUE(front->start());
    gateway->start();
}

void Fixture::stop_gateway(Duration drain) {
    if (!gateway) return;
    runtime.block_on(front->drain(io::Deadline::after(drain)));
    gateway->begin_stop();
    runtime.block_on(front->stop(io::Deadline::after(0s)));
    runtime.block_on(gateway->stop(io::Deadline::after(drain)));
    front.reset();
    gateway.reset();
}

void Fixture::restart_gateway() {
    stop_gateway();
    start_gateway();
}

void Fixture::add_engine(EngineScript script, std::string model, std::string protocol) {
    engines.push_back(std::make_unique<ScriptedEngine>(runtime, std::move(script)));
    routes.push_back(route_to(engines.back()->url(), std::move(model), engines.size()));
    routes.back().endpoint.protocol = std::move(protocol);
    apply_routes();
}

void Fixture::renew_endpoints() {
    for (Route& route : routes) route.endpoint.id = EndpointId(RawId{10, ++renewed});
    apply_routes();
}

void Fixture::apply_routes() {
    server.set_routes(routes);
    wait_until(
        [&] { return gateway->routes_version() == server.routes_version(); }, "the route table"
    );
}

io::Task<ClientAnswer> Fixture::ask_task(
    std::string body, http::Headers headers, std::string path
) {
    http::ClientRequest request{
        .method = "POST", .url = front->url() + path, .headers = std::move(headers)
    };
    if (!key.empty()) request.headers.add("Authorization", "Bearer " + key);
    request.headers.set("Content-Type", "application/json");
    request.body = std::move(body);
    ClientAnswer answer;
    Result<http::ResponseStream> opened =
        co_await client.open(std::move(request), io::Deadline::after(kWaitMax));
    if (!opened) {
        answer.cut = true;
        answer.body = to_string(opened.error());
        co_return answer;
    }
    answer.status = opened->status();
    answer.headers = opened->headers();
    while (true) {
        const Result<std::string_view> piece = co_await opened->read(io::Deadline::after(kWaitMax));
        answer.cut = !piece;
        if (!piece || piece->empty()) co_return answer;
        answer.body.append(*piece);
    }
}

ClientAnswer Fixture::ask(std::string body, http::Headers headers) {
    return runtime.block_on(ask_task(std::move(body), std::move(headers)));
}

ClientAnswer Fixture::ask_at(std::string path, std::string body, http::Headers headers) {
    return runtime.block_on(ask_task(std::move(body), std::move(headers), std::move(path)));
}

void Fixture::leave_after(std::string body, std::size_t events) {
    http::ClientRequest request{.method = "POST", .url = front->url() + "/v1/chat/completions"};
    request.headers.add("Authorization", "Bearer " + key);
    request.body = std::move(body);
    Result<http::ResponseStream> answer =
        runtime.block_on(client.open(std::move(request), io::Deadline::after(kWaitMax)));
    ASSERT_TRUE(answer) << to_string(answer.error());
    std::string got;
    for (std::size_t at = 0, seen = 0; seen < events;) {
        const std::size_t end = got.find("\n\n", at);
        if (end != std::string::npos) {
            at = end + 2;
            ++seen;
            continue;
        }
        // An event that the gateway keeps back (its own usage chunk) never comes.
        const Result<std::string_view> piece =
            runtime.block_on(answer->read(io::Deadline::after(kSilence)));
        if (!piece || piece->empty()) return;
        got += *piece;
    }
}

ClientAnswer Fixture::ask_path(std::string method, const std::string& path, std::string body) {
    http::ClientRequest request{.method = std::move(method), .url = front->url() + path};
    request.headers.add("Authorization", "Bearer " + key);
    request.body = std::move(body);
    const Result<http::ClientResponse> response =
        runtime.block_on(client.send(std::move(request), io::Deadline::after(kWaitMax)));
    if (!response)
        return {.status = 0, .headers = {}, .body = to_string(response.error()), .cut = true};
    return {.status = response->status, .headers = response->headers, .body = response->body};
}

void Fixture::wait_for_records(std::size_t count) {
    wait_until(
        [&] { return server.records.size() >= count; }, std::to_string(count) + " settled records"
    );
}

void Fixture::wait_until(std::function<bool()> condition, std::string_view what) {
    if (condition()) return;
    bool met = false;
    runtime.block_on(wait_for(&runtime, std::move(condition), &met));
    ASSERT_TRUE(met) << "waited in vain for " << what;
}

}  // namespace penstock::gateway
