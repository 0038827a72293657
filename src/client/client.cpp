// SPDX-License-Identifier: Apache-2.0
#include "client/client.h"

namespace penstock::client {
namespace {

// "/v1/tasks/" + one encoded segment + ":cancel".
std::string path_of(
    std::string_view collection, std::string_view name, std::string_view rest = {}
) {
    return "/v1/" + std::string(collection) + "/" + http::percent_encode(name) + std::string(rest);
}

template <class T>
Call post(const std::string& path, const T& body) {
    return {.method = "POST", .path = path, .body = json::print(body)};
}

}  // namespace

io::Task<Result<Task>> Client::create_task(TaskSpec spec, std::string request_id) {
    Call call = post("/v1/tasks", spec);
    call.idempotency_key = std::move(request_id);
    co_return co_await connection_.call_for<Task>(std::move(call));
}
io::Task<Result<Plan>> Client::plan_task(TaskSpec spec) {
    co_return co_await connection_.call_for<Plan>(post("/v1/tasks:plan", spec));
}
io::Task<Result<Task>> Client::task(std::string id) {
    co_return co_await connection_.call_for<Task>({.path = path_of("tasks", id)});
}
io::Task<Result<Task>> Client::cancel_task(std::string id) {
    co_return co_await connection_.call_for<Task>(
        {.method = "POST", .path = path_of("tasks", id, ":cancel")}
    );
}
io::Task<Result<Task>> Client::retry_task(std::string id) {
    co_return co_await connection_.call_for<Task>(
        {.method = "POST", .path = path_of("tasks", id, ":retry")}
    );
}
io::Task<Result<Explanation>> Client::explain_task(std::string id) {
    co_return co_await connection_.call_for<Explanation>({.path = path_of("tasks", id, ":explain")}
    );
}

io::Task<Result<TaskProfile>> Client::profile_task(TaskSpec spec) {
    co_return co_await connection_.call_for<TaskProfile>(post("/v1/tasks:profile", spec));
}
io::Task<Result<TaskProfile>> Client::task_profile(std::string id) {
    co_return co_await connection_.call_for<TaskProfile>({.path = path_of("tasks", id, ":profile")}
    );
}

io::Task<Result<LogPage>> Client::task_logs(std::string id, LogQuery query) {
    http::Query parameters;
    if (query.since) parameters.add("since", std::to_string(*query.since));
    if (query.item) parameters.add("item", std::to_string(*query.item));
    if (query.limit) parameters.add("limit", std::to_string(*query.limit));
    co_return co_await connection_.call_for<LogPage>(
        {.path = path_of("tasks", id, "/logs"), .query = std::move(parameters)}
    );
}

Watch Client::watch_task(const std::string& id, std::int64_t since) {
    return Watch(connection_, path_of("tasks", id, ":watch"), {}, since);
}
Watch Client::watch_events(std::int64_t since) {
    return Watch(connection_, "/v1/events:watch", {}, since);
}
Watch Client::watch_task_logs(
    const std::string& id, std::int64_t since, std::optional<std::int64_t> item
) {
    http::Query query;
    if (item) query.add("item", std::to_string(*item));
    return Watch(connection_, path_of("tasks", id, "/logs:watch"), std::move(query), since);
}

io::Task<Result<Site>> Client::create_site(SiteSpec spec) {
    co_return co_await connection_.call_for<Site>(post("/v1/sites", spec));
}
io::Task<Result<Site>> Client::site(std::string id) {
    co_return co_await connection_.call_for<Site>({.path = path_of("sites", id)});
}
io::Task<Result<Site>> Client::update_site(std::string id, SiteSpec spec) {
    Call call = post(path_of("sites", id), spec);
    call.method = "PUT";
    co_return co_await connection_.call_for<Site>(std::move(call));
}
io::Task<Result<OutlookView>> Client::outlook(std::string site) {
    co_return co_await connection_.call_for<OutlookView>(
        {.path = path_of("sites", site) + "/outlook"}
    );
}
io::Task<Result<OutlookView>> Client::state_outlook(std::string site, OutlookSpec spec) {
    Call call = post(path_of("sites", site) + "/outlook", spec);
    call.method = "PUT";
    co_return co_await connection_.call_for<OutlookView>(std::move(call));
}
io::Task<Result<DecisionRecord>> Client::decision(std::string id) {
    co_return co_await connection_.call_for<DecisionRecord>({.path = path_of("decisions", id)});
}
io::Task<Result<Node>> Client::node(std::string id) {
    co_return co_await connection_.call_for<Node>({.path = path_of("nodes", id)});
}
io::Task<Result<Node>> Client::cordon_node(std::string id) {
    co_return co_await connection_.call_for<Node>(
        {.method = "POST", .path = path_of("nodes", id, ":cordon")}
    );
}
io::Task<Result<Node>> Client::uncordon_node(std::string id) {
    co_return co_await connection_.call_for<Node>(
        {.method = "POST", .path = path_of("nodes", id, ":uncordon")}
    );
}

io::Task<Result<GatewayStatus>> Client::gateway(std::string name) {
    co_return co_await connection_.call_for<GatewayStatus>({.path = path_of("gateways", name)});
}
io::Task<Result<GatewayStatus>> Client::drain_gateway(std::string name) {
    co_return co_await connection_.call_for<GatewayStatus>(
        {.method = "POST", .path = path_of("gateways", name, ":drain")}
    );
}
io::Task<Result<GatewayStatus>> Client::undrain_gateway(std::string name) {
    co_return co_await connection_.call_for<GatewayStatus>(
        {.method = "POST", .path = path_of("gateways", name, ":undrain")}
    );
}

io::Task<Result<CreatedKey>> Client::create_key(CreateKey key, std::string organisation) {
    const std::string path =
        organisation.empty() ? "/v1/keys" : path_of("organisations", organisation, "/keys");
    co_return co_await connection_.call_for<CreatedKey>(post(path, key));
}
io::Task<Result<Key>> Client::get_key(std::string id) {
    co_return co_await connection_.call_for<Key>({.method = "GET", .path = path_of("keys", id)});
}
io::Task<Result<Key>> Client::update_key(std::string id, UpdateKey change) {
    Call call = post(path_of("keys", id), change);
    call.method = "PATCH";
    co_return co_await connection_.call_for<Key>(std::move(call));
}
io::Task<Done> Client::delete_key(std::string id) {
    CO_TRY(co_await connection_.call({.method = "DELETE", .path = path_of("keys", id)}));
    co_return Done();
}
io::Task<Result<Organisation>> Client::create_organisation(CreateOrganisation organisation) {
    co_return co_await connection_.call_for<Organisation>(post("/v1/organisations", organisation));
}
io::Task<Result<Project>> Client::create_project(CreateProject project) {
    co_return co_await connection_.call_for<Project>(post("/v1/projects", project));
}
io::Task<Result<Organisation>> Client::organisation(std::string id) {
    co_return co_await connection_.call_for<Organisation>({.path = path_of("organisations", id)});
}
io::Task<Result<Project>> Client::project(std::string id) {
    co_return co_await connection_.call_for<Project>({.path = path_of("projects", id)});
}
io::Task<Result<Organisation>> Client::update_organisation(std::string id, UpdateLimits change) {
    Call call = post(path_of("organisations", id), change);
    call.method = "PATCH";
    co_return co_await connection_.call_for<Organisation>(std::move(call));
}
io::Task<Result<Project>> Client::update_project(std::string id, UpdateLimits change) {
    Call call = post(path_of("projects", id), change);
    call.method = "PATCH";
    co_return co_await connection_.call_for<Project>(std::move(call));
}
io::Task<Result<WhoAmI>> Client::whoami() {
    co_return co_await connection_.call_for<WhoAmI>({.path = "/v1/whoami"});
}

io::Task<Result<Wallet>> Client::wallet() {
    co_return co_await connection_.call_for<Wallet>({.path = "/v1/wallet"});
}
io::Task<Result<Wallet>> Client::top_up(TopUp top_up) {
    co_return co_await connection_.call_for<Wallet>(post("/v1/wallet:topup", top_up));
}
io::Task<Result<Statement>> Client::statement(std::string account, std::string organisation) {
    http::Query query;
    if (!account.empty()) query.add("account", std::move(account));
    if (!organisation.empty()) query.add("organisation", std::move(organisation));
    co_return co_await connection_.call_for<Statement>(
        {.path = "/v1/statement", .query = std::move(query)}
    );
}
io::Task<Result<SettlementReport>> Client::settlement() {
    co_return co_await connection_.call_for<SettlementReport>({.path = "/v1/settlement"});
}
io::Task<Result<GenerationAnswer>> Client::generation(std::string call_id) {
    http::Query query;
    query.add("id", std::move(call_id));
    co_return co_await connection_.call_for<GenerationAnswer>(
        {.path = "/v1/generation", .query = std::move(query)}
    );
}

io::Task<Result<Endpoint>> Client::create_endpoint(CreateEndpoint endpoint) {
    co_return co_await connection_.call_for<Endpoint>(post("/v1/endpoints", endpoint));
}
io::Task<Result<Endpoint>> Client::endpoint(std::string id) {
    co_return co_await connection_.call_for<Endpoint>({.path = path_of("endpoints", id)});
}
io::Task<Result<Endpoint>> Client::update_endpoint(std::string id, UpdateEndpoint change) {
    Call call = post(path_of("endpoints", id), change);
    call.method = "PATCH";
    co_return co_await connection_.call_for<Endpoint>(std::move(call));
}
io::Task<Done> Client::delete_endpoint(std::string id) {
    CO_TRY(co_await connection_.call({.method = "DELETE", .path = path_of("endpoints", id)}));
    co_return Done();
}
io::Task<Result<json::Text>> Client::identifier(std::string c_url_or_code) {
    co_return json::Text{
        CO_TRY(co_await connection_.call({.path = path_of("identifiers", c_url_or_code)}))
    };
}

io::Task<Result<RouteTable>> Client::routes(std::int64_t version, Duration wait) {
    http::Query query;
    query.add("version", std::to_string(version));
    query.add("wait", to_string(wait));
    co_return co_await connection_.call_for<RouteTable>(
        {.path = "/v1/gateway/routes",
         .query = std::move(query),
         .timeout = wait + connection_.options().call_timeout}
    );
}
io::Task<Result<ResolvedKey>> Client::resolve_key(ResolveKey key) {
    co_return co_await connection_.call_for<ResolvedKey>(post("/v1/gateway/keys:resolve", key));
}
io::Task<Result<GrantedAllowances>> Client::acquire_allowances(AcquireAllowances request) {
    co_return co_await connection_.call_for<GrantedAllowances>(
        post("/v1/gateway/allowances", request)
    );
}
io::Task<Result<SettledCalls>> Client::settle_calls(SettleCalls calls) {
    co_return co_await connection_.call_for<SettledCalls>(post("/v1/gateway/settlements", calls));
}

io::Task<Result<Version>> Client::version() {
    co_return co_await connection_.call_for<Version>({.path = "/version"});
}
io::Task<Done> Client::ready() {
    CO_TRY(co_await connection_.call({.path = "/readyz"}));
    co_return Done();
}

}  // namespace penstock::client
